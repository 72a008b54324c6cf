{{/* What all pods have in common. */}}

{{/* Takes {root, image}: `repository@digest` or `repository:tag`. */}}
{{- define "fairlead.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{/*
Takes {root, component, values, checksums?}: the lines below `metadata:` of a pod template. Without the chart's version, which
changes when no pod need be replaced.
*/}}
{{- define "fairlead.podMetadata" -}}
labels: {{- toYaml (merge (omit (include "fairlead.labels" . | fromYaml) "helm.sh/chart") .values.podLabels) | nindent 2 }}
{{- with merge (dict) (default (dict) .checksums) .values.podAnnotations .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Takes {root, component, values, account?, serviceAccount?}: the lines of a pod's spec that do not depend on what runs in it. Only
one with an `account` at the API server gets a token. Service links would put FAIRLEAD_PORT=tcp://… beside our settings.
*/}}
{{- define "fairlead.podSpec" -}}
{{- $values := .values -}}
{{- $selector := include "fairlead.selector" . | fromYaml -}}
serviceAccountName: {{ default (include "fairlead.component" .) .serviceAccount }}
automountServiceAccountToken: {{ default false .account }}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
  - {{ toYaml (merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" $selector) "matchLabelKeys" (list "pod-template-hash"))) | nindent 4 | trim }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Takes {root, component, values}: a ServiceAccount. */}}
{{- define "fairlead.serviceAccount" -}}
{{- if .root.Values.serviceAccount.create -}}
apiVersion: v1
kind: ServiceAccount
metadata: {{- include "fairlead.metadata" (merge (dict "annotations" .root.Values.serviceAccount.annotations) .) | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}

{{/* Takes {root, component, values}: a PodDisruptionBudget, if it is wanted. */}}
{{- define "fairlead.podDisruptionBudget" -}}
{{- if .values.podDisruptionBudget.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "fairlead.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "fairlead.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* Takes a map of settings in camelCase: environment variables. Numbers keep all their digits, lists are joined by commas. */}}
{{- define "fairlead.settings" -}}
{{- range $name, $value := . -}}
- name: FAIRLEAD_{{ $name | snakecase | upper }}
  value: {{ if kindIs "slice" $value }}{{ join "," $value | quote }}{{ else if kindIs "string" $value }}{{ quote $value }}{{ else }}{{ toJson $value | quote }}{{ end }}
{{ end }}
{{- end -}}

{{/* Authorities of the user's own: the variable that Python's TLS reads, and the file that it names. */}}
{{- define "fairlead.trustEnv" -}}
{{- if .Values.tls.trust.configMap -}}
- name: SSL_CERT_FILE
  value: /etc/fairlead/trust/ca.crt
{{- end -}}
{{- end -}}

{{- define "fairlead.trustMount" -}}
{{- if .Values.tls.trust.configMap -}}
- {name: trust, mountPath: /etc/fairlead/trust, readOnly: true}
{{- end -}}
{{- end -}}

{{- define "fairlead.trustVolume" -}}
{{- with .Values.tls.trust -}}
{{- if .configMap -}}
- name: trust
  configMap:
    name: {{ .configMap }}
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of a router: with autoscaling there may be more than one at any time. */}}
{{- define "fairlead.routerReplicas" -}}
{{- if .Values.router.autoscaling.enabled -}}
{{- .Values.router.autoscaling.maxReplicas -}}
{{- else -}}
{{- .Values.router.replicas -}}
{{- end -}}
{{- end -}}
