{{- /* A probe of vLLM itself, from inside: the gateway must not decide over its restarts. */ -}}
{{- define "this.probe" -}}
{{- $command := list "curl" "--fail" "--silent" "--max-time" "5" "http://127.0.0.1:8000/health" -}}
{{- toYaml (mergeOverwrite (dict "exec" (dict "command" $command)) .default (default dict .own)) -}}
{{- end -}}

{{- /* What vLLM is started with; a rank of several nodes finds the others by the names that LeaderWorkerSet sets. */ -}}
{{- define "this.args" -}}
- {{ .root.Values.model | quote }}
- --config
- /etc/vllm/serve.yaml
{{- if ne .role "single" }}
- --nnodes
- {{ .root.Values.nodes | quote }}
- --node-rank
- {{ ternary "0" "$(LWS_WORKER_INDEX)" (eq .role "leader") | quote }}
- --master-addr
- $(LWS_LEADER_ADDRESS)
{{- end }}
{{- if eq .role "worker" }}
- --headless
{{- else }}
# Only the gateway beside it may reach vLLM.
- --host
- 127.0.0.1
- --port
- "8000"
{{- end }}
{{- with .root.Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Metadata and spec of a pod; role: single, or leader and worker of a group that serves together. */ -}}
{{- define "this.pod" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
metadata:
  labels:
    {{- include "this.labels" $root | nindent 4 }}
    {{- if ne .role "single" }}
    app.kubernetes.io/component: {{ .role }}
    {{- end }}
    {{- with $v.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # New arguments are new pods.
    checksum/serve: {{ toYaml $v.serve | sha256sum }}
    checksum/gateway: {{ $root.Files.Get "files/nginx.conf" | sha256sum }}
    {{- with $v.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  # A Service's variables could be taken for vLLM's own (VLLM_PORT).
  enableServiceLinks: false
  automountServiceAccountToken: {{ $v.serviceAccount.automount }}
  {{- with include "this.serviceAccount" $root }}
  serviceAccountName: {{ . }}
  {{- end }}
  {{- with include "this.pullSecrets" $root }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  {{- range $key := list "hostAliases" "dnsConfig" "dnsPolicy" "resourceClaims" "nodeSelector" "tolerations" "affinity" "priorityClassName" "schedulerName" "runtimeClassName" }}
  {{- with get $v $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with include "this.spread" $root }}
  topologySpreadConstraints:
    {{- . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ $v.shutdown.gracePeriodSeconds }}
  securityContext:
    {{- toYaml $v.podSecurityContext | nindent 4 }}
  {{- $download := and $v.download.enabled (not (hasPrefix "/" $v.model)) (not (contains "://" $v.model)) }}
  {{- if or $download $v.initContainers }}
  initContainers:
    {{- with $v.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $download }}
    # Weights come before vLLM starts: no probe has to wait for a download.
    - name: download
      {{- include "this.download" . | nindent 6 }}
    {{- end }}
  {{- end }}
  containers:
    - name: vllm
      image: {{ include "this.image" (dict "root" $root "image" $v.image) | quote }}
      imagePullPolicy: {{ include "this.pull" (dict "root" $root "image" $v.image) }}
      {{- with $v.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      args:
        {{- include "this.args" . | nindent 8 }}
      env:
        {{- include "this.env" . | nindent 8 }}
      {{- with $v.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if ne .role "worker" }}
      startupProbe:
        {{- $startup := dict "periodSeconds" 10 "timeoutSeconds" 6 "failureThreshold" $v.startup.failureThreshold }}
        {{- include "this.probe" (dict "default" $startup "own" $v.startupProbe) | nindent 8 }}
      livenessProbe:
        {{- $liveness := dict "periodSeconds" 15 "timeoutSeconds" 10 "failureThreshold" 6 }}
        {{- include "this.probe" (dict "default" $liveness "own" $v.livenessProbe) | nindent 8 }}
      readinessProbe:
        {{- $readiness := dict "periodSeconds" 5 "timeoutSeconds" 10 "failureThreshold" 2 }}
        {{- include "this.probe" (dict "default" $readiness "own" $v.readinessProbe) | nindent 8 }}
      lifecycle:
        preStop:
          exec:
            # /health stays 200 while vLLM drains: only time takes the pod out of the Service.
            command: [sleep, {{ $v.shutdown.preStopSeconds | quote }}]
      {{- end }}
      resources:
        {{- include "this.resources" $root | nindent 8 }}
      securityContext:
        {{- $context := deepCopy (default dict $v.securityContext) }}
        {{- if $v.network.rdmaResource }}
        {{- $_ := set $context "capabilities" (merge (dict "add" (list "IPC_LOCK")) (default dict $context.capabilities)) }}
        {{- end }}
        {{- toYaml $context | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/vllm/serve.yaml
          subPath: serve.yaml
          readOnly: true
        - name: cache
          mountPath: /home/vllm/.cache
          {{- with $v.cache.subPath }}
          subPath: {{ . }}
          {{- end }}
        - name: shm
          mountPath: /dev/shm
        {{- if $v.modelVolume }}
        - name: model
          mountPath: /model
          readOnly: true
        {{- end }}
        {{- if $v.draftVolume }}
        - name: draft
          mountPath: {{ $v.draftPath | quote }}
          readOnly: true
        {{- end }}
        {{- range $index, $one := $v.paths }}
        - name: path-{{ $index }}
          mountPath: {{ $one.path | quote }}
          readOnly: {{ ne (toString $one.readOnly) "false" }}
        {{- end }}
        {{- with $v.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- if ne .role "worker" }}
    - name: gateway
      image: {{ include "this.image" (dict "root" $root "image" $v.gateway.image) | quote }}
      imagePullPolicy: {{ include "this.pull" (dict "root" $root "image" $v.gateway.image) }}
      ports:
        - name: http
          containerPort: 8080
        {{- if include "this.tls" $root }}
        - name: https
          containerPort: 8443
        {{- end }}
        {{- if $v.metrics.enabled }}
        - name: metrics
          containerPort: 9400
        {{- end }}
      readinessProbe:
        httpGet:
          path: /health
          port: http
        periodSeconds: 5
        timeoutSeconds: 6
        failureThreshold: 2
      # The gateway alone: whether vLLM lives, its own probe says.
      livenessProbe:
        tcpSocket:
          port: http
        periodSeconds: 15
        timeoutSeconds: 10
        failureThreshold: 4
      lifecycle:
        preStop:
          exec:
            # After it nginx gets SIGQUIT: it takes no new request and stays until the last answer is out.
            command: [sleep, {{ $v.shutdown.preStopSeconds | quote }}]
      resources:
        {{- toYaml $v.gateway.resources | nindent 8 }}
      securityContext:
        {{- toYaml $v.gateway.securityContext | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/nginx/nginx.conf
          subPath: nginx.conf
          readOnly: true
        {{- if $v.metrics.enabled }}
        - name: config
          mountPath: /etc/nginx/http.d/metrics.conf
          subPath: metrics.conf
          readOnly: true
        {{- end }}
        {{- if include "this.tls" $root }}
        - name: config
          mountPath: /etc/nginx/server.d/tls.conf
          subPath: tls.conf
          readOnly: true
        {{- end }}
        {{- if include "this.tls" $root }}
        - name: tls
          mountPath: /etc/nginx/tls
          readOnly: true
        {{- end }}
        {{- if $v.gateway.keysSecret }}
        - name: keys
          mountPath: /etc/nginx/keys
          readOnly: true
        {{- end }}
        - name: tmp
          mountPath: /tmp
    {{- with $v.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "this.name" $root }}
    - name: cache
      {{- with include "this.claim" $root }}
      persistentVolumeClaim:
        claimName: {{ . }}
      {{- else }}
      emptyDir: {}
      {{- end }}
    - name: shm
      emptyDir:
        medium: Memory
        sizeLimit: {{ $v.shmMi }}Mi
    {{- if ne .role "worker" }}
    - name: tmp
      emptyDir: {}
    {{- with include "this.tls" $root }}
    - name: tls
      secret:
        secretName: {{ . }}
    {{- end }}
    {{- with $v.gateway.keysSecret }}
    - name: keys
      secret:
        secretName: {{ . }}
    {{- end }}
    {{- end }}
    {{- with $v.modelVolume }}
    - name: model
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $v.draftVolume }}
    - name: draft
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- range $index, $one := $v.paths }}
    - name: path-{{ $index }}
      {{- toYaml $one.volume | nindent 6 }}
    {{- end }}
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
