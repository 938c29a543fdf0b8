#!/usr/bin/env bash
# Serve llama-3-3-70b-instruct-quantized-w4a16 in one container, port 8000 of the loopback interface only.
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
  --name llama-3-3-70b-instruct-quantized-w4a16
  --gpus "\"device=${GPU_0:-0},${GPU_1:-1},${GPU_2:-2},${GPU_3:-3}\""

  # The ranks of one engine exchange steps through shared memory; Docker's default is 64 MB.
  --shm-size 1144m

  # The image's unprivileged user; group 0 owns its home.
  --user 2000:0
  --cap-drop ALL
  --security-opt no-new-privileges:true
  --publish "127.0.0.1:${SCRIPT_PORT:-8000}:8000"

  # By name only: a value on the command line would be visible to every user of this host.
  --env VLLM_API_KEY
  --env HF_TOKEN
  --env VLLM_NO_USAGE_STATS=1
  --volume llama-3-3-70b-instruct-quantized-w4a16-cache:/home/vllm/.cache
  --volume "$PWD/serve.yaml:/etc/vllm/serve.yaml:ro"
)

if [ -t 1 ]; then docker_args+=(--interactive --tty); fi

exec docker run "${docker_args[@]}" \
  "${VLLM_IMAGE:-vllm/vllm-openai:v0.33.0}" \
  RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16 \
  --config /etc/vllm/serve.yaml \
  --host 0.0.0.0 \
  --port 8000 \
  "$@"
