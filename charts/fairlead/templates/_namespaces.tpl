{{/* Where `helm test` declares its provider: the release's own namespace, if it is obeyed. */}}
{{- define "fairlead.testNamespace" -}}
{{- $watched := .Values.rbac.watchNamespaces -}}
{{- if or (not $watched) (has .Release.Namespace $watched) -}}
{{- .Release.Namespace -}}
{{- else -}}
{{- first $watched -}}
{{- end -}}
{{- end -}}

{{/* Where the notes do. Requests that name no workspace belong to `default`, which is that namespace's. */}}
{{- define "fairlead.notesNamespace" -}}
{{- $watched := .Values.rbac.watchNamespaces -}}
{{- if or (not $watched) (has "default" $watched) -}}default{{- else -}}{{- first $watched -}}{{- end -}}
{{- end -}}
