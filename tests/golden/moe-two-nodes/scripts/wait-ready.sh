#!/usr/bin/env bash
# Wait until the server answers /health:  scripts/wait-ready.sh [URL]
# The plan expects 2531 s from start to ready, without the download of a first start.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh
scheme=http own=()
if [ "${GATEWAY_PORT:-8080}" = 8443 ]; then scheme=https; fi
url=${1:-$scheme://127.0.0.1:${PORT:-8080}}
# The certificate of this host's own gateway names the host and not 127.0.0.1.
if [ "$#" = 0 ]; then own=(--insecure); fi
limit=${WAIT_S:-12535}

command -v curl >/dev/null || {
  echo "curl is not installed: this asks with it" >&2
  exit 1
}
health() { curl "${own[@]}" --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "$url/health" || true; }

echo "waiting up to $limit s for $url/health"
until code=$(health) && [[ $code = 2* ]]; do
  if [ "$((SECONDS / 20))" -gt "${told:-0}" ]; then
    told=$((SECONDS / 20))
    if [ "$code" = 000 ]; then said="nothing listens yet"; else said="it answers $code"; fi
    echo "still waiting after $SECONDS s: $said"
  fi
  if [ "$SECONDS" -ge "$limit" ]; then
    echo "not ready after $SECONDS s: make logs shows why, or wait longer with WAIT_S=3600" >&2
    exit 1
  fi
  sleep 2
done
echo "ready after $SECONDS s"
