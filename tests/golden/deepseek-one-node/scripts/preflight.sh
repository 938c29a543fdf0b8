#!/usr/bin/env bash
# Ask the pinned vLLM whether it would start this deployment. It needs no GPU, and fetches the model's config alone.
# Its report goes to preflight.json: `vllm-wizard check --preflight preflight.json` says what mends a refusal.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh
export HF_TOKEN=${HF_TOKEN:-}

if python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("vllm") is None)' 2>/dev/null; then
  exec python3 scripts/preflight.py --json preflight.json "$@"
fi

if ! docker version >/dev/null 2>&1; then
  echo "vLLM is not installed here and Docker does not run, one of which this needs:" >&2
  echo "  make preflight on the host that is to serve, or where the vllm of this release is installed" >&2
  exit 1
fi

docker_args=(
  --rm
  --user 2000:0
  --cap-drop ALL
  --security-opt no-new-privileges:true
  --env HF_TOKEN
  --env HF_HUB_OFFLINE
  --volume "$PWD:/deployment:ro"
  --entrypoint python3
)
if [ -e /dev/nvidia0 ]; then docker_args+=(--gpus all); fi

docker run "${docker_args[@]}" "${VLLM_IMAGE:-vllm/vllm-openai:v0.33.0}" \
  /deployment/scripts/preflight.py --json - "$@" >preflight.json
