#!/usr/bin/env bash
# Wait until the server answers /health:  scripts/wait-ready.sh [URL]
# The plan expects 507 s from start to ready, without the download of a first start.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -f .env ]; then
  # shellcheck source=/dev/null
  . ./.env
fi
url=${1:-http://127.0.0.1:${PORT:-8080}}
limit=${WAIT_S:-1107}

echo "waiting up to $limit s for $url/health"
until curl --fail --silent --max-time 5 --output /dev/null "$url/health"; do
  if [ "$SECONDS" -ge "$limit" ]; then
    echo "not ready after $SECONDS s: look at the log, or wait longer with WAIT_S=3600" >&2
    exit 1
  fi
  sleep 2
done
echo "ready after $SECONDS s"
