{{/* What things are called. */}}

{{- define "fairlead.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for the longest suffix, `-router-admin`, within the 63 characters of a Service's name. */}}
{{- define "fairlead.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "fairlead.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Takes {root, component}. */}}
{{- define "fairlead.component" -}}
{{- printf "%s-%s" (include "fairlead.fullname" .root) .component -}}
{{- end -}}

{{/* Takes {root, component?}: metadata but the namespace. */}}
{{- define "fairlead.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" (.root.Chart.AppVersion | replace "+" "_")
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" "fairlead" -}}
{{- $own = merge $own (include "fairlead.selector" . | fromYaml) -}}
{{- toYaml (merge $own .root.Values.commonLabels) -}}
{{- end -}}

{{/* Takes {root, component?}: labels that never change, by which pods are selected. */}}
{{- define "fairlead.selector" -}}
app.kubernetes.io/name: {{ include "fairlead.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Takes {root, component?, name?, namespace?, annotations?}: the lines below `metadata:`. */}}
{{- define "fairlead.metadata" -}}
name: {{ default (include "fairlead.component" .) .name }}
namespace: {{ default .root.Release.Namespace .namespace }}
{{ include "fairlead.labelled" . }}
{{- end -}}

{{/* The same for an object of the cluster. */}}
{{- define "fairlead.clusterMetadata" -}}
name: {{ default (include "fairlead.component" .) .name }}
{{ include "fairlead.labelled" . }}
{{- end -}}

{{- define "fairlead.labelled" -}}
labels: {{- include "fairlead.labels" . | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Objects that operator and routers agree on by name. */}}
{{- define "fairlead.snapshotName" -}}{{ include "fairlead.fullname" . }}-snapshot{{- end -}}
{{- define "fairlead.credentialsName" -}}{{ include "fairlead.fullname" . }}-credentials{{- end -}}

{{- define "fairlead.keysSecret" -}}
{{- default (printf "%s-router-keys" (include "fairlead.fullname" .)) .Values.router.keys.existingSecret -}}
{{- end -}}

{{- define "fairlead.redisSecret" -}}
{{- if .Values.redis.existingSecret -}}
{{- .Values.redis.existingSecret -}}
{{- else if .Values.redis.enabled -}}
{{- printf "%s-redis" (include "fairlead.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Namespaces as JSON lists: those obeyed (empty: all), those of the platform, those whose Secrets are read (["*"]: all). */}}
{{- define "fairlead.watchNamespaces" -}}
{{- .Values.rbac.watchNamespaces | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- define "fairlead.platformNamespaces" -}}
{{- default (list .Release.Namespace) .Values.operator.platformNamespaces | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- define "fairlead.secretNamespaces" -}}
{{- $platform := include "fairlead.platformNamespaces" . | fromJsonArray -}}
{{- $default := default (append $platform .Release.Namespace) .Values.rbac.watchNamespaces -}}
{{- default $default .Values.rbac.secretNamespaces | uniq | sortAlpha | toJson -}}
{{- end -}}
