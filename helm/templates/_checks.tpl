{{/* What no schema can tell: combinations with which the pods would not start, or never be reached. */}}
{{- define "realtime-fanout.checks" -}}
{{- $config := .Values.config -}}
{{- $secrets := .Values.secrets -}}
{{- if not (or .Values.redis.url .Values.existingSecret) -}}
{{- fail "redis.url is empty: set it, or have REDIS_URL in a Secret and name that by existingSecret" -}}
{{- end -}}
{{- if eq (int64 $config.PORT) (int64 $config.OPS_PORT) -}}
{{- fail "config.OPS_PORT must be another port than config.PORT" -}}
{{- end -}}
{{- if eq $config.AUTH_MODE "jwt" -}}
{{- if not (or $secrets.JWT_SECRET $config.JWT_JWKS_URL .Values.existingSecret) -}}
{{- fail "config.AUTH_MODE is jwt: set secrets.JWT_SECRET or config.JWT_JWKS_URL, or have JWT_SECRET in the Secret that existingSecret names" -}}
{{- end -}}
{{- if and $secrets.JWT_SECRET $config.JWT_JWKS_URL -}}
{{- fail "secrets.JWT_SECRET and config.JWT_JWKS_URL: tokens are checked by one or the other" -}}
{{- end -}}
{{- else -}}
{{- if not $config.SHOPIFY_API_KEY -}}
{{- fail "config.AUTH_MODE is shopify: set config.SHOPIFY_API_KEY" -}}
{{- end -}}
{{- if not (or $secrets.SHOPIFY_API_SECRET .Values.existingSecret) -}}
{{- fail "config.AUTH_MODE is shopify: set secrets.SHOPIFY_API_SECRET, or have it in the Secret that existingSecret names" -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if or (hasKey $config .name) (has .name (list "NODE_ENV")) -}}
{{- fail (printf "extraEnv has %s: set it by config, so that probes, ports and the time to end go by it" .name) -}}
{{- end -}}
{{- end -}}
{{- $name := include "realtime-fanout.fullname" . -}}
{{- if not (regexMatch "^[a-z][a-z0-9-]*$" $name) -}}
{{- fail (printf "%s is no name for a Service, which has a letter first, and no dot: set fullnameOverride" $name) -}}
{{- end -}}
{{- with .Values.metrics.serviceMonitor -}}
{{- if and .enabled (gt (int64 (include "realtime-fanout.milliseconds" .scrapeTimeout)) (int64 (include "realtime-fanout.milliseconds" .interval))) -}}
{{- fail "metrics.serviceMonitor.scrapeTimeout is longer than metrics.serviceMonitor.interval: the Prometheus Operator would leave the ServiceMonitor out" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled: name the Gateway by httpRoute.parentRefs" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not (or .Values.autoscaling.targetCPUUtilizationPercentage .Values.autoscaling.targetConnectionsPerPod)) -}}
{{- fail "autoscaling.enabled: set targetCPUUtilizationPercentage or targetConnectionsPerPod" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled .Values.autoscaling.targetCPUUtilizationPercentage (not ((.Values.resources.requests).cpu)) -}}
{{- fail "autoscaling.targetCPUUtilizationPercentage is a share of resources.requests.cpu, and there is none" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (ge (int64 .Values.autoscaling.targetConnectionsPerPod) (int64 $config.MAX_CONNECTIONS)) -}}
{{- fail "autoscaling.targetConnectionsPerPod must be less than config.MAX_CONNECTIONS: pods that are full would have no more made" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int64 .Values.autoscaling.minReplicas) (int64 .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- end }}

{{/* Of what the schema takes for a duration: 500ms, 15s, 1m. */}}
{{- define "realtime-fanout.milliseconds" -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get (dict "ms" 1 "s" 1000 "m" 60000) (regexFind "[a-z]+$" .)) -}}
{{- end }}
