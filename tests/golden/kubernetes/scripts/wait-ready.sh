#!/usr/bin/env bash
# Wait until the server answers /health:  scripts/wait-ready.sh [URL]
# The plan expects 886 s from start to ready, without the download of a first start.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh
url=${1:-http://127.0.0.1:${SCRIPT_PORT:-8000}} own=()
limit=${WAIT_S:-4309}

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
    echo "not ready after $SECONDS s: its log says why, or wait longer with WAIT_S=3600" >&2
    exit 1
  fi
  sleep 2
done
echo "ready after $SECONDS s"
