#!/usr/bin/env bash
# Ask a running server for what it must and must not do:  scripts/smoke.sh [URL]
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=/dev/null
. scripts/env.sh
: "${VLLM_API_KEY:?is empty: run \"make env\" to make one}"
scheme=http own=()
if [ "${GATEWAY_PORT:-8080}" = 8443 ]; then scheme=https; fi
url=${1:-$scheme://127.0.0.1:${PORT:-8080}}
# The certificate of this host's own gateway names the host and not 127.0.0.1.
if [ "$#" = 0 ]; then own=(--insecure); fi
failures=0

ask() { curl "${own[@]}" --silent --max-time 120 "$@"; }

if [ "$(ask --output /dev/null --write-out '%{http_code}' "$url/health" || true)" = 000 ]; then
  echo "nothing answers at $url: make up first, or name another address: scripts/smoke.sh URL" >&2
  exit 1
fi

# The key reaches curl through a file descriptor, never through the process list.
call() {
  ask --config <(printf 'header = "Authorization: Bearer %s"\n' "$VLLM_API_KEY") "$@"
}

# expect STATUS WHAT CURL-ARGUMENTS...
expect() {
  local want=$1 what=$2 got
  shift 2
  got=$("$@" --output /dev/null --write-out '%{http_code}') || true
  if [ "$got" = "$want" ]; then
    echo "ok    $what: $got"
  else
    echo "WRONG $what: $got, expected $want"
    failures=$((failures + 1))
  fi
}

expect 200 "health" ask "$url/health"
expect 401 "models without a key" ask "$url/v1/models"
expect 200 "models with the key" call "$url/v1/models"
expect 404 "a path that the gateway must not serve" ask --request POST "$url/invocations"

name=$(call "$url/v1/models" | sed -n 's/.*"data":\[{"id":"\([^"]*\)".*/\1/p') || true
expect 200 "a completion of ${name:-no model}" call "$url/v1/completions" \
  --header 'Content-Type: application/json' \
  --data "{\"model\": \"$name\", \"prompt\": \"One, two, three,\", \"max_tokens\": 8}"

exit "$((failures > 0))"
