#!/usr/bin/env bash
# Wait until the server answers /health:  scripts/wait-ready.sh [URL]
# The plan expects 265 s from start to ready, without the download of a first start.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh
scheme=http own=()
if [ "${GATEWAY_PORT:-8080}" = 8443 ]; then scheme=https; fi
url=${1:-$scheme://127.0.0.1:${PORT:-8080}}
# The certificate of this host's own gateway names the host and not 127.0.0.1.
if [ "$#" = 0 ]; then own=(--insecure); fi
limit=${WAIT_S:-1465}

echo "waiting up to $limit s for $url/health"
until curl "${own[@]}" --fail --silent --max-time 5 --output /dev/null "$url/health"; do
  if [ "$((SECONDS / 20))" -gt "${told:-0}" ]; then
    told=$((SECONDS / 20))
    echo "still waiting after $SECONDS s"
    ${DOCKER_COMPOSE:-docker compose} logs --no-log-prefix --tail 1 vllm 2>/dev/null | cut -c 1-200 || true
  fi
  if [ "$SECONDS" -ge "$limit" ]; then
    echo "not ready after $SECONDS s: look at the log, or wait longer with WAIT_S=3600" >&2
    exit 1
  fi
  sleep 2
done
echo "ready after $SECONDS s"
