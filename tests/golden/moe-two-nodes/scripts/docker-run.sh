#!/usr/bin/env bash
# Serve qwen3-235b-a22b in one container, port 8000 of the loopback interface only.
# There is no gateway in front of this one: for anything but a trial use compose.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh

# An empty key would switch authentication off.
if [ -z "${VLLM_API_KEY:-}" ]; then
  echo "there is no key yet: make env writes .env with one (VLLM_API_KEY)" >&2
  exit 1
fi
export VLLM_API_KEY HF_TOKEN=${HF_TOKEN:-}

docker_args=(
  --rm
  --init
  --name qwen3-235b-a22b
  --gpus "\"device=${GPU_0:-0},${GPU_1:-1},${GPU_2:-2},${GPU_3:-3},${GPU_4:-4},${GPU_5:-5},${GPU_6:-6},${GPU_7:-7}\""

  # The ranks of one engine exchange steps through shared memory; Docker's default is 64 MB.
  --shm-size 2104m

  # The image's unprivileged user; group 0 owns its home.
  --user 2000:0
  --cap-drop ALL
  --security-opt no-new-privileges:true

  # By name only: a value on the command line would be visible to every user of this host.
  --env VLLM_API_KEY
  --env HF_TOKEN
  --env VLLM_NO_USAGE_STATS=1
  --volume qwen3-235b-a22b-cache:/home/vllm/.cache
  --volume "$PWD/serve.yaml:/etc/vllm/serve.yaml:ro"
)

# The same script runs on every node; rank 0 serves the API.
: "${NODE_RANK:?is 0 on the head and 1, 2, ... on the workers}"
: "${HEAD_ADDR:?is the address of rank 0 on the private network}"
: "${NODE_ADDR:?is the address of this host on the private network}"
: "${IFACE_NAME:?is the interface of NODE_ADDR, like eth0}"
docker_args+=(
  --network host
  --env "VLLM_HOST_IP=$NODE_ADDR"
  --env "NCCL_SOCKET_IFNAME=$IFACE_NAME"
  --env "GLOO_SOCKET_IFNAME=$IFACE_NAME"
)
place=(--nnodes 2 --node-rank "$NODE_RANK" --master-addr "$HEAD_ADDR" --host 127.0.0.1)
if [ "$NODE_RANK" != 0 ]; then place+=(--headless); fi

if [ -t 1 ]; then docker_args+=(--interactive --tty); fi

exec docker run "${docker_args[@]}" \
  "${VLLM_IMAGE:-vllm/vllm-openai:v0.33.0}" \
  Qwen/Qwen3-235B-A22B \
  --config /etc/vllm/serve.yaml \
  "${place[@]}" \
  --port 8000 \
  "$@"
