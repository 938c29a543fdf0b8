{{- /* The name of everything here. Never "vllm": a Service of that name would set VLLM_PORT in its neighbours. */ -}}
{{- define "this.name" -}}
{{- $name := default (default .Release.Name .Values.nameOverride) .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
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
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "this.secret" -}}
{{- default (include "this.name" .) .Values.secretName -}}
{{- end -}}

{{- define "this.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "this.name" .) (default .Values.serviceAccountName .Values.serviceAccount.name) -}}
{{- else -}}
{{- default .Values.serviceAccountName .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* An image as one string, or as registry, repository, tag and digest; global.imageRegistry is before those of no other. */ -}}
{{- define "this.image" -}}
{{- $mirror := get (default dict .root.Values.global) "imageRegistry" -}}
{{- if kindIs "map" .image -}}
{{- with .image -}}
{{- with default .registry $mirror }}{{ . }}/{{ end }}{{ required "image.repository is empty" .repository }}
{{- with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- else -}}
{{- $named := and (contains "/" .image) (regexMatch "[.:]|^localhost$" (first (splitList "/" .image))) -}}
{{- if and $mirror (not $named) }}{{ $mirror }}/{{ end }}{{ .image -}}
{{- end -}}
{{- end -}}

{{- /* Secrets for pulling images: the chart's, and those of global, which may be plain names. */ -}}
{{- define "this.pullSecrets" -}}
{{- $all := .Values.imagePullSecrets | default list -}}
{{- range get (default dict .Values.global) "imagePullSecrets" | default list -}}
{{- $all = append $all (ternary . (dict "name" .) (kindIs "map" .)) -}}
{{- end -}}
{{- with $all | uniq -}}{{ toYaml . }}{{- end -}}
{{- end -}}

{{- /* The claim that keeps weights and kernels; empty: every pod has a directory of its own. */ -}}
{{- define "this.claim" -}}
{{- if .Values.cache.existingClaim -}}{{ .Values.cache.existingClaim }}
{{- else if .Values.cache.create -}}{{ include "this.name" . }}-cache{{- end -}}
{{- end -}}

{{- /* vLLM's environment: the defaults, each replaced where `env` has one of that name, then the rest of `env`. */ -}}
{{- define "this.env" -}}
{{- $root := .root -}}
{{- $secret := include "this.secret" $root -}}
{{- $hub := default $secret $root.Values.hfToken.secretName -}}
{{- $key := dict "name" $secret "key" $root.Values.secretKey -}}
{{- $token := dict "name" $hub "key" $root.Values.hfToken.key "optional" true -}}
{{- $list := list
  (dict "name" "VLLM_API_KEY" "valueFrom" (dict "secretKeyRef" $key))
  (dict "name" "HF_TOKEN" "valueFrom" (dict "secretKeyRef" $token))
  (dict "name" "USER" "value" "vllm")
  (dict "name" "HOME" "value" "/home/vllm")
  (dict "name" "TRITON_CACHE_DIR" "value" "/home/vllm/.cache/triton")
  (dict "name" "HF_HOME" "value" "/home/vllm/.cache/huggingface")
  (dict "name" "VLLM_CACHE_ROOT" "value" "/home/vllm/.cache/vllm")
  (dict "name" "VLLM_NO_USAGE_STATS" "value" "1") -}}
{{- if eq .role "preflight" -}}
{{- /* Its pod has no cache, and asks nobody for a key. */ -}}
{{- $list = list (dict "name" "HF_TOKEN" "valueFrom" (dict "secretKeyRef" $token)) (dict "name" "USER" "value" "vllm") (dict "name" "HOME" "value" "/tmp") -}}
{{- end -}}
{{- if has .role (list "leader" "worker") -}}
{{- $address := dict "fieldRef" (dict "fieldPath" "status.podIP") -}}
{{- $list = append $list (dict "name" "VLLM_HOST_IP" "valueFrom" $address) -}}
{{- with $root.Values.network.interface -}}
{{- $list = concat $list (list (dict "name" "NCCL_SOCKET_IFNAME" "value" .) (dict "name" "GLOO_SOCKET_IFNAME" "value" .)) -}}
{{- end -}}
{{- end -}}
{{- $own := dict -}}
{{- range $root.Values.env -}}{{- $_ := set $own .name . -}}{{- end -}}
{{- $seen := dict -}}
{{- $out := list -}}
{{- range concat $list $root.Values.env -}}
{{- if not (hasKey $seen .name) -}}
{{- $out = append $out (default . (get $own .name)) -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{- /* vLLM's resources: what the values say, the GPUs, RDMA devices, and disk where the cache is the pod's own. */ -}}
{{- define "this.resources" -}}
{{- $disk := and (not (include "this.claim" .)) .Values.cache.size -}}
{{- $own := default dict .Values.resources -}}
{{- $requests := deepCopy (default dict $own.requests) -}}
{{- $limits := deepCopy (default dict $own.limits) -}}
{{- if .Values.memoryMi -}}
{{- $_ := set $requests "memory" (printf "%dMi" (int64 .Values.memoryMi)) -}}
{{- $_ := unset $limits "memory" -}}
{{- end -}}
{{- if not (hasKey $requests "ephemeral-storage") -}}
{{- $_ := set $requests "ephemeral-storage" (ternary .Values.cache.size "1Gi" (not (empty $disk))) -}}
{{- end -}}
{{- if and (not (hasKey $limits "ephemeral-storage")) (or (empty $disk) .Values.cache.sizeLimit) -}}
{{- $_ := set $limits "ephemeral-storage" (ternary .Values.cache.sizeLimit "20Gi" (not (empty $disk))) -}}
{{- end -}}
{{- if .Values.gpuResource -}}
{{- $_ := set $requests .Values.gpuResource .Values.gpus -}}
{{- $_ := set $limits .Values.gpuResource .Values.gpus -}}
{{- end -}}
{{- with .Values.network.rdmaResource -}}
{{- $_ := set $requests . 1 -}}
{{- $_ := set $limits . 1 -}}
{{- end -}}
{{- $all := dict "requests" $requests "limits" $limits -}}
{{- with $own.claims -}}{{- $_ := set $all "claims" . -}}{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- /* Ranks of vLLM that start in one pod; 0 where `serve` says itself how many. */ -}}
{{- define "this.ranks" -}}
{{- $s := .Values.serve -}}
{{- $ranks := mul (int (default 1 (get $s "tensor-parallel-size"))) (int (default 1 (get $s "pipeline-parallel-size"))) (int (default 1 (get $s "data-parallel-size"))) -}}
{{- ternary 0 (div $ranks (int (default 1 .Values.nodes))) (hasKey $s "data-parallel-size-local") -}}
{{- end -}}

{{- /* The Secret with the gateway's certificate; empty: plain HTTP. */ -}}
{{- define "this.tls" -}}
{{- if .Values.gateway.tls.secretName -}}{{ .Values.gateway.tls.secretName }}
{{- else if .Values.gateway.tls.issuer -}}{{ include "this.name" . }}-tls{{- end -}}
{{- end -}}

{{- define "this.port" -}}{{ ternary "https" "http" (not (empty (include "this.tls" .))) }}{{- end -}}

{{- /* Users and privileges that the API server or the node refuses together. */ -}}
{{- define "this.checkUsers" -}}
{{- $pod := default dict .Values.podSecurityContext -}}
{{- range $name, $context := dict "securityContext" .Values.securityContext "gateway.securityContext" .Values.gateway.securityContext -}}
{{- $own := default dict $context -}}
{{- if and (get $own "privileged") (eq (toString (get $own "allowPrivilegeEscalation")) "false") -}}
{{- fail (printf "%s: a privileged container cannot have allowPrivilegeEscalation false: set that to true, too" $name) -}}
{{- end -}}
{{- $bound := ternary (get $own "runAsNonRoot") (get $pod "runAsNonRoot") (hasKey $own "runAsNonRoot") -}}
{{- if and $bound (eq (toString (get $own "runAsUser")) "0") -}}
{{- fail (printf "%s.runAsUser is 0, and runAsNonRoot is true: the node would start no container; set runAsNonRoot to false, too" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Volumes and mounts of the user's that no pod could have. */ -}}
{{- define "this.checkMounts" -}}
{{- $v := .Values -}}
{{- $names := list "config" "cache" "shm" "tmp" "tls" "keys" "model" "draft" -}}
{{- $places := list "/dev/shm" "/home/vllm/.cache" "/etc/vllm/serve.yaml" -}}
{{- if $v.modelVolume -}}{{- $places = append $places "/model" -}}{{- end -}}
{{- range $v.paths -}}{{- $places = append $places .path -}}{{- end -}}
{{- $own := list -}}
{{- range $v.extraVolumes -}}
{{- if has .name $names -}}{{- fail (printf "extraVolumes: the chart has a volume %s of its own: choose another name" .name) -}}{{- end -}}
{{- $own = append $own .name -}}
{{- end -}}
{{- range $v.extraVolumeMounts -}}
{{- if not (or (has .name $own) (has .name $names)) -}}
{{- fail (printf "extraVolumeMounts: %s is no volume: add it to extraVolumes" .name) -}}
{{- end -}}
{{- if has (trimSuffix "/" .mountPath) $places -}}
{{- fail (printf "extraVolumeMounts: %s has a volume of the chart's already: cache, modelVolume, paths and shmMi say which" .mountPath) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Constraints of topology; one without a selector counts the pods of this release, for without it would count none. */ -}}
{{- define "this.spread" -}}
{{- $out := list -}}
{{- range .Values.topologySpreadConstraints -}}
{{- $one := deepCopy . -}}
{{- if not (hasKey $one "labelSelector") -}}
{{- $_ := set $one "labelSelector" (dict "matchLabels" (include "this.selector" $ | fromYaml)) -}}
{{- end -}}
{{- $out = append $out $one -}}
{{- end -}}
{{- with $out -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{- /* How an image is pulled: as its own map says, else as all are. */ -}}
{{- define "this.pull" -}}
{{- $own := ternary .image dict (kindIs "map" .image) -}}
{{- default .root.Values.imagePullPolicy (get $own "pullPolicy") -}}
{{- end -}}

{{- /* What stops an installation: values that fit a schema and not each other. */ -}}
{{- define "this.check" -}}
{{- $v := .Values -}}
{{- $most := ternary $v.autoscaling.maxReplicas $v.replicas $v.autoscaling.enabled | int -}}
{{- $own := and $v.cache.create (not $v.cache.existingClaim) -}}
{{- if and $own (or (gt $most 1) (gt (int (default 1 $v.nodes)) 1)) (not (has "ReadWriteMany" $v.cache.accessModes)) -}}
{{- fail (printf "cache.create: %d pods share one claim, which %s does not allow: set cache.accessModes to [ReadWriteMany], or cache.create to false" $most (join ", " $v.cache.accessModes)) -}}
{{- end -}}
{{- $surge := get (default dict (get $v.strategy "rollingUpdate")) "maxSurge" | toString | trimSuffix "%" -}}
{{- if and $own (eq $most 1) (ne (get $v.strategy "type") "Recreate") (not (has $surge (list "0" "<nil>" ""))) (not (has "ReadWriteMany" $v.cache.accessModes)) -}}
{{- fail (printf "strategy.rollingUpdate.maxSurge: the new pod would wait for the claim that the old one holds (%s): set maxSurge to 0, or cache.accessModes to [ReadWriteMany]" (join ", " $v.cache.accessModes)) -}}
{{- end -}}
{{- $ranks := include "this.ranks" . | int -}}
{{- if and $v.gpuResource (lt (int $v.gpus) $ranks) -}}
{{- fail (printf "gpus is %d, and vLLM starts %d ranks in a pod (tensor, pipeline and data parallel sizes of serve): each wants a GPU of its own" (int $v.gpus) $ranks) -}}
{{- end -}}
{{- range $kind := list "requests" "limits" -}}
{{- $asked := get (default dict (get (default dict $v.resources) $kind)) $v.gpuResource -}}
{{- if and $asked (ne (toString $asked) (toString (int $v.gpus))) -}}
{{- fail (printf "resources.%s asks for %v of %s, and gpus says %d: set gpus" $kind $asked $v.gpuResource (int $v.gpus)) -}}
{{- end -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (eq (int $v.autoscaling.minReplicas) 0) (or (eq $v.autoscaling.kind "hpa") (not $v.autoscaling.query)) -}}
{{- fail "autoscaling.minReplicas is 0: without a pod there is no metric of vLLM that starts one again: at least 1, or with KEDA a query of what asks it (autoscaling.query)" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (lt $most (int $v.autoscaling.minReplicas)) -}}
{{- fail "autoscaling.maxReplicas is below autoscaling.minReplicas" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (eq $v.autoscaling.kind "keda") (not $v.autoscaling.prometheus) -}}
{{- fail "autoscaling.prometheus is empty: name the Prometheus that KEDA asks, like http://prometheus.monitoring:9090" -}}
{{- end -}}
{{- if lt (int $v.shutdown.gracePeriodSeconds) (int $v.shutdown.preStopSeconds) -}}
{{- fail "shutdown.gracePeriodSeconds is shorter than preStopSeconds: every pod would be killed while it still sleeps" -}}
{{- end -}}
{{- if and $v.download.job (not $v.cache.existingClaim) -}}
{{- fail "download.job fills a claim before anything else is installed: make one, and name it with cache.existingClaim" -}}
{{- end -}}
{{- if and $v.cache.create $v.cache.existingClaim -}}
{{- fail (printf "cache.create and cache.existingClaim (%s): a claim is made or there already, so leave one of them out" $v.cache.existingClaim) -}}
{{- end -}}
{{- if and $v.modelVolume (not (hasPrefix "/model" $v.model)) -}}
{{- fail (printf "modelVolume is mounted at /model, and model is %s, which vLLM would fetch: set model to /model, or to a directory beneath" $v.model) -}}
{{- end -}}
{{- if and (eq $v.service.type "ClusterIP") (get $v.service "externalTrafficPolicy") -}}
{{- fail "service.externalTrafficPolicy is of a service that is open to the outside: set service.type to NodePort or LoadBalancer, or leave it out" -}}
{{- end -}}
{{- include "this.checkUsers" . -}}
{{- include "this.checkMounts" . -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: [{host: llm.example.com}]" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: [{name: GATEWAY, namespace: ITS-NAMESPACE}]" -}}
{{- end -}}
{{- end -}}
