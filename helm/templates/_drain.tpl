{{/* How long a new pod is not ready, by the service's own default. */}}
{{- define "realtime-fanout.warmupSeconds" -}}
{{- $ms := .Values.config.READY_WARMUP_MS -}}
{{- if or (kindIs "invalid" $ms) (eq (toString $ms) "") -}}{{- $ms = add (int64 .Values.config.HEARTBEAT_MS) 7000 -}}{{- end -}}
{{- div (add (int64 $ms) 999) 1000 -}}
{{- end }}

{{/*
terminationGracePeriodSeconds: computed, so that it cannot disagree with what the pod is told to take for its end.
Kubernetes counts the preStop hook in.
*/}}
{{- define "realtime-fanout.graceSeconds" -}}
{{- $drainMs := add (int64 .Values.config.DRAIN_DELAY_MS) (int64 .Values.config.DRAIN_WINDOW_MS) -}}
{{- add (int64 .Values.rollout.preStopSleepSeconds) (div (add $drainMs 999) 1000) (int64 .Values.rollout.graceMarginSeconds) -}}
{{- end }}
