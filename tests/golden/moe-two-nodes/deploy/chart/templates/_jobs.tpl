{{- /* What every pod has that does one thing and ends; `root`, and `tmp` where its file system is read-only beside /tmp. */ -}}
{{- define "this.job" -}}
{{- $v := .root.Values -}}
restartPolicy: {{ .restartPolicy }}
enableServiceLinks: false
automountServiceAccountToken: false
{{- with include "this.pullSecrets" .root }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $v.podSecurityContext | nindent 2 }}
{{- range $key := list "hostAliases" "dnsConfig" "dnsPolicy" "nodeSelector" "tolerations" "priorityClassName" "schedulerName" }}
{{- with get $v $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* vLLM's security context with a root file system that nothing writes to: no GPU, hence no hook that would. */ -}}
{{- define "this.sealed" -}}
{{- toYaml (merge (dict "readOnlyRootFilesystem" true) (deepCopy (default dict .Values.securityContext))) -}}
{{- end -}}

{{- /* Mounts of the user's own volumes: such a pod has none of the chart's. */ -}}
{{- define "this.ownMounts" -}}
{{- $own := list -}}
{{- range .Values.extraVolumes -}}{{- $own = append $own .name -}}{{- end -}}
{{- $out := list -}}
{{- range .Values.extraVolumeMounts -}}{{- if has .name $own -}}{{- $out = append $out . -}}{{- end -}}{{- end -}}
{{- with $out -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{- /* Labels of such a pod: those that everything here has to have, and none that a Service selects. */ -}}
{{- define "this.jobLabels" -}}
app.kubernetes.io/component: {{ .component }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
