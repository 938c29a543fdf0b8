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
url=${1:-http://127.0.0.1:${SCRIPT_PORT:-8000}} more=()
# What scripts/serve.sh starts has no gateway in front; what a URL names has.
if [ "$#" = 0 ]; then more=(--no-gateway); fi

ask() { curl --insecure --silent --max-time 20 "$@"; }

if [ "$(ask --output /dev/null --write-out '%{http_code}' "$url/health" || true)" = 000 ]; then
  echo "nothing answers at $url: kubectl port-forward service/llama-70b 8000:8080 first, in another terminal, or name another address: scripts/smoke.sh URL" >&2
  exit 1
fi

if command -v python3 >/dev/null; then exec python3 scripts/smoke.py "${more[@]}" "$url"; fi

echo "python3 is not installed: scripts/smoke.py needs it, and nothing else" >&2
exit 1
