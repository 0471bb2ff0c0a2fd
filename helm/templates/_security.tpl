{{/* What the image asks for (Dockerfile), and the restricted Pod Security Standard wants. */}}
{{- define "realtime-fanout.podSecurityContext" -}}
{{- $own := dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (mergeOverwrite $own (deepCopy (.Values.podSecurityContext | default dict))) -}}
{{- end }}

{{- define "realtime-fanout.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
