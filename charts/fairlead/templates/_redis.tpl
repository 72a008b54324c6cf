{{/* Not empty where there is a Redis. */}}
{{- define "fairlead.hasRedis" -}}
{{- with .Values.redis -}}
{{- if or .enabled .url .urlKey -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* Not empty where there is a password apart from the URL. A URL from a Secret has its own in it. */}}
{{- define "fairlead.redisPassword" -}}
{{- if and .Values.redis.passwordKey (not .Values.redis.urlKey) (include "fairlead.redisSecret" .) (include "fairlead.hasRedis" .) -}}yes{{- end -}}
{{- end -}}

{{/* How routers and classifiers find their Redis: environment variables. */}}
{{- define "fairlead.redisEnv" -}}
{{- with .Values.redis -}}
{{- if .enabled -}}
- name: FAIRLEAD_REDIS_URL
  value: redis://{{ include "fairlead.fullname" $ }}-redis.{{ $.Release.Namespace }}.svc:6379/0
{{- else if .urlKey -}}
- name: FAIRLEAD_REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .urlKey | quote }}}}
{{- else if .url -}}
- name: FAIRLEAD_REDIS_URL
  value: {{ .url | quote }}
{{- end }}
{{- end }}
{{- if include "fairlead.hasRedis" . }}
- name: FAIRLEAD_REDIS_PREFIX
  value: {{ .Values.redis.prefix | quote }}
{{- if .Values.redis.required }}
- name: FAIRLEAD_STORE_REQUIRED
  value: "true"
{{- end }}
{{- end }}
{{- if include "fairlead.redisPassword" . }}
- name: FAIRLEAD_REDIS_PASSWORD_FILE
  value: /etc/fairlead/redis/password
{{- end }}
{{- end -}}

{{- define "fairlead.redisVolume" -}}
- name: redis-password
  secret:
    secretName: {{ include "fairlead.redisSecret" . }}
    items:
      - {key: {{ .Values.redis.passwordKey | quote }}, path: password}
{{- end -}}
