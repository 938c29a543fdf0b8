#!/usr/bin/env bash
# Serve qwen3-235b-a22b on this machine without a container; needs the vLLM of vllm/vllm-openai:v0.33.0.
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
  export CUDA_VISIBLE_DEVICES=${GPU_0:-0},${GPU_1:-1},${GPU_2:-2},${GPU_3:-3},${GPU_4:-4},${GPU_5:-5},${GPU_6:-6},${GPU_7:-7}
fi

# The same command runs on every node; rank 0 serves the API.
: "${NODE_RANK:?is 0 on the head and 1, 2, ... on the workers}"
: "${HEAD_ADDR:?is the address of rank 0 on the private network}"
: "${NODE_ADDR:?is the address of this host on the private network}"
: "${IFACE_NAME:?is the interface of NODE_ADDR, like eth0}"
export VLLM_HOST_IP=$NODE_ADDR NCCL_SOCKET_IFNAME=$IFACE_NAME GLOO_SOCKET_IFNAME=$IFACE_NAME

place=(--nnodes 2 --node-rank "$NODE_RANK" --master-addr "$HEAD_ADDR")
if [ "$NODE_RANK" != 0 ]; then place+=(--headless); fi

model=Qwen/Qwen3-235B-A22B

# Loopback only: beneath paths other than /v1 vLLM asks nobody for a key. Put a gateway in front.
exec vllm serve "$model" \
  --config serve.yaml \
  "${place[@]}" \
  --host 127.0.0.1 \
  --port "${SCRIPT_PORT:-8000}" \
  "$@"
