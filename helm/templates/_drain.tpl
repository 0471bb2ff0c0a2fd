{{/*
terminationGracePeriodSeconds: computed, so that it cannot disagree with what the pod is told to take for its end.
Kubernetes counts the preStop hook in.
*/}}
{{- define "realtime-fanout.graceSeconds" -}}
{{- $drainMs := add (int64 .Values.config.DRAIN_DELAY_MS) (int64 .Values.config.DRAIN_WINDOW_MS) -}}
{{- add (int64 .Values.rollout.preStopSleepSeconds) (div (add $drainMs 999) 1000) (int64 .Values.rollout.graceMarginSeconds) -}}
{{- end }}
