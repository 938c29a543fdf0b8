{{- /* The name of everything here. Never "vllm": a Service of that name would set VLLM_PORT in its neighbours. */ -}}
{{- define "this.name" -}}
{{- $name := default .Release.Name .Values.nameOverride | trunc 53 | trimSuffix "-" -}}
{{- if eq $name "vllm" -}}{{- fail "a release called vllm would set VLLM_PORT for vLLM itself: choose another name" -}}{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "this.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "this.labels" -}}
{{ include "this.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "this.secret" -}}
{{- default (include "this.name" .) .Values.secretName -}}
{{- end -}}
