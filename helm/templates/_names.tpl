{{- define "realtime-fanout.chart" -}}
{{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "realtime-fanout.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-" }}
{{- end }}

{{/* No longer than 52: what is appended (-ops, -test) has to fit into the 63 of a Service's name. */}}
{{- define "realtime-fanout.fullname" -}}
{{- $name := include "realtime-fanout.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 52 | trimAll "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimAll "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 52 | trimAll "-" }}
{{- end -}}
{{- end }}

{{- define "realtime-fanout.selectorLabels" -}}
app.kubernetes.io/name: {{ include "realtime-fanout.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "realtime-fanout.labels" -}}
helm.sh/chart: {{ include "realtime-fanout.chart" . }}
{{ include "realtime-fanout.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Of the pods only: that of `helm test` must not be one that a Service sends to. */}}
{{- define "realtime-fanout.podSelectorLabels" -}}
{{ include "realtime-fanout.selectorLabels" . }}
app.kubernetes.io/component: server
{{- end }}

{{- define "realtime-fanout.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "realtime-fanout.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* The port in a URL, or else a default: (list url default). An address that ends in digits has none. */}}
{{- define "realtime-fanout.urlPort" -}}
{{- regexFind ":[0-9]+$" (urlParse (first .)).host | trimPrefix ":" | default (last . | toString) -}}
{{- end }}

{{- define "realtime-fanout.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}
