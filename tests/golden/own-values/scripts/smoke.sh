#!/usr/bin/env bash
# Ask a running server for what it must and must not do, completions among it:  scripts/smoke.sh [URL]
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh
if [ -z "${VLLM_API_KEY:-}" ]; then
  echo "there is no key yet: make env writes .env with one (VLLM_API_KEY)" >&2
  exit 1
fi
# The key reaches the script by the environment, never through the process list.
export VLLM_API_KEY
scheme=http more=()
if [ "${GATEWAY_PORT:-8080}" = 8443 ]; then scheme=https; fi
url=${1:-$scheme://127.0.0.1:${PORT:-8080}}
# The certificate of this host's own gateway names the host and not 127.0.0.1.
if [ "$#" = 0 ]; then more=(--insecure); fi

ask() { curl --insecure --silent --max-time 20 "$@"; }

if [ "$(ask --output /dev/null --write-out '%{http_code}' "$url/health" || true)" = 000 ]; then
  echo "nothing answers at $url: make up first, or name another address: scripts/smoke.sh URL" >&2
  exit 1
fi

if command -v python3 >/dev/null; then exec python3 scripts/smoke.py "${more[@]}" "$url"; fi

# No Python here: the image has one, and reaches the gateway by its name.
exec ${DOCKER_COMPOSE:-docker compose} exec --no-TTY vllm python3 - http://gateway:8080 <scripts/smoke.py
