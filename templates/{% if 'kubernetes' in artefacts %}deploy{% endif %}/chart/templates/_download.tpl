{{- /* A container without a name that fills the Hub cache with what vLLM will read: the model, and a draft model. */ -}}
{{- define "this.download" -}}
{{- $v := .root.Values -}}
image: {{ include "this.image" (dict "root" .root "image" $v.image) | quote }}
imagePullPolicy: {{ include "this.pull" (dict "root" .root "image" $v.image) }}
command: [python3, -c]
args:
  - |
    import sys
    from huggingface_hub import HfApi, snapshot_download
    # Other formats of the same weights, which vLLM does not read where there are safetensors.
    OTHERS = ["*.bin", "*.pt", "*.pth", "*.gguf", "*.msgpack", "*.h5", "*.onnx*", "*.ot", "original/*", "metal/*", "openvino/*"]
    for model, _, revision in (word.partition("@") for word in sys.argv[1:]):
        pinned = {"repo_id": model, "revision": revision or None}
        try:
            files = HfApi().list_repo_files(**pinned)
        except Exception as error:  # No Hub, or no right to it: then the cache must hold the model already.
            print(error)
            print(snapshot_download(**pinned, local_files_only=True))
            continue
        plain = any(name.endswith(".safetensors") and "/" not in name for name in files)
        print(snapshot_download(**pinned, ignore_patterns=OTHERS if plain else None))
  - {{ printf "%s@%s" $v.model (default "" (get $v.serve "revision")) | quote }}
  {{- range $v.download.also }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- include "this.env" . | nindent 2 }}
{{- with $v.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $v.download.resources | nindent 2 }}
securityContext:
  {{- toYaml $v.securityContext | nindent 2 }}
volumeMounts:
  - name: cache
    mountPath: /home/vllm/.cache
    {{- with $v.cache.subPath }}
    subPath: {{ . }}
    {{- end }}
  {{- with include "this.ownMounts" .root }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}
