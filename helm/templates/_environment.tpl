{{/* Helm has numbers of values as floats, and would write 67108864 as 6.7108864e+07; and on and off, without quotes, as booleans. */}}
{{- define "realtime-fanout.text" -}}
{{- if kindIs "float64" . -}}{{ int64 . }}{{- else if kindIs "bool" . -}}{{ ternary "on" "off" . }}{{- else -}}{{ . }}{{- end -}}
{{- end }}

{{- define "realtime-fanout.config" -}}
{{- range $name, $value := .Values.config -}}
{{- $text := include "realtime-fanout.text" $value -}}
{{- if and (not (kindIs "invalid" $value)) (ne $text "") }}
{{ $name }}: {{ $text | quote }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "realtime-fanout.secrets" -}}
{{- with .Values.redis.url }}
REDIS_URL: {{ . | b64enc }}
{{- end -}}
{{- range $name, $value := .Values.secrets -}}
{{- with $value }}
{{ $name }}: {{ . | b64enc }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Not that of the release: it may be what a Secret of yours is called. */}}
{{- define "realtime-fanout.secretName" -}}
{{ include "realtime-fanout.fullname" . }}-env
{{- end }}

{{/* Where the environment comes from: later ones win. */}}
{{- define "realtime-fanout.envFrom" -}}
- configMapRef:
    name: {{ include "realtime-fanout.fullname" . | quote }}
{{- with .Values.existingSecret }}
- secretRef:
    name: {{ . | quote }}
{{- end }}
{{- if include "realtime-fanout.secrets" . }}
- secretRef:
    name: {{ include "realtime-fanout.secretName" . | quote }}
{{- end }}
{{- end }}
