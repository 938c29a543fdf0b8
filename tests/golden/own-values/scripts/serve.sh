#!/usr/bin/env bash
# Serve gemma-3-12b-it on this machine without a container; needs the vLLM of vllm/vllm-openai:v0.33.0.
# More arguments are passed on to vLLM and win over serve.yaml:  scripts/serve.sh --port 9000
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh

# An empty key would switch authentication off.
if [ -z "${VLLM_API_KEY:-}" ]; then
  echo "there is no key yet: make env writes .env with one (VLLM_API_KEY)" >&2
  exit 1
fi
export VLLM_API_KEY
export VLLM_NO_USAGE_STATS=1

# Where .env names GPUs, because this host has several deployments.
if [ -n "${GPU_0:-}" ]; then
  export CUDA_VISIBLE_DEVICES=${GPU_0:-0}
fi

model=google/gemma-3-12b-it

# Loopback only: beneath paths other than /v1 vLLM asks nobody for a key. Put a gateway in front.
exec vllm serve "$model" \
  --config serve.yaml \
  --host 127.0.0.1 \
  --port "${SCRIPT_PORT:-8000}" \
  "$@"
