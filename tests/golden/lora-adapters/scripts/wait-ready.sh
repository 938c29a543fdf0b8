#!/usr/bin/env bash
# Wait until the server answers /health:  scripts/wait-ready.sh [URL]
# The plan expects 261 s from start to ready, without the download of a first start.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh
scheme=http own=()
if [ "${GATEWAY_PORT:-8080}" = 8443 ]; then scheme=https; fi
url=${1:-$scheme://127.0.0.1:${PORT:-8080}}
# The certificate of this host's own gateway names the host and not 127.0.0.1.
if [ "$#" = 0 ]; then own=(--insecure); fi
limit=${WAIT_S:-1461}

command -v curl >/dev/null || {
  echo "curl is not installed: this asks with it" >&2
  exit 1
}
health() { curl "${own[@]}" --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "$url/health" || true; }
compose() { ${DOCKER_COMPOSE:-docker compose} "$@" 2>/dev/null; }
absent() { ! compose version >/dev/null || { found=$(compose ps --all --quiet vllm) && [ -z "$found" ]; }; }

if [ "$#" = 0 ] && [ "$(health)" = 000 ] && absent; then
  echo "nothing answers at $url, and vLLM has no container here: make up starts it" >&2
  exit 1
fi

echo "waiting up to $limit s for $url/health"
until code=$(health) && [[ $code = 2* ]]; do
  if [ "$((SECONDS / 20))" -gt "${told:-0}" ]; then
    told=$((SECONDS / 20))
    if [ "$code" = 000 ]; then said="nothing listens yet"; else said="it answers $code"; fi
    echo "still waiting after $SECONDS s: $said"
    compose logs --no-log-prefix --tail 1 vllm | cut -c 1-200 || true
  fi
  if [ "$SECONDS" -ge "$limit" ]; then
    echo "not ready after $SECONDS s: make logs shows why, or wait longer with WAIT_S=3600" >&2
    exit 1
  fi
  sleep 2
done
echo "ready after $SECONDS s"
