#!/usr/bin/env bash
# Named keys and a certificate for the gateway, in gateway/keys and gateway/tls; `make reload` puts them into force.
#   scripts/keys.sh add NAME | remove NAME | tls CERTIFICATE KEY
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/env.sh

callers=gateway/keys/clients.callers
upstream=gateway/keys/vllm.upstream
umask 022

# The gateway's user must read these files, and nobody else of this host: the directory above is yours alone.
closed() { chmod 700 gateway; }

named() {
  case $1 in
    '' | *[!a-z0-9-]* | -*)
      echo "name the client with small letters, digits and dashes: make key NAME=alice" >&2
      exit 1
      ;;
  esac
}

# Without the client $1, if it has a key.
others() { if [ -f "$callers" ]; then grep -v " $1;\$" "$callers" || true; fi; }

case ${1:-} in
  add)
    named "${2:-}"
    : "${VLLM_API_KEY:?is empty: run \"make env\" to make one}"
    key=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
    closed
    { others "$2"; printf '"~^Bearer %s\\z" %s;\n' "$key" "$2"; } >"$callers.new"
    mv "$callers.new" "$callers"
    printf '"~^[a-z0-9]" "Bearer %s";\n' "$VLLM_API_KEY" >"$upstream"
    echo "the key of $2, shown this once: $key"
    echo "then: make reload"
    ;;
  remove)
    named "${2:-}"
    others "$2" >"$callers.new"
    mv "$callers.new" "$callers"
    echo "$2 has no key any more; then: make reload"
    ;;
  tls)
    if [ ! -f "${2:-}" ] || [ ! -f "${3:-}" ]; then
      echo "name both files: make tls CERT=fullchain.pem KEY=privkey.pem" >&2
      exit 1
    fi
    closed
    cp -- "$2" gateway/tls/tls.crt
    cp -- "$3" gateway/tls/tls.key
    chmod 644 gateway/tls/tls.crt gateway/tls/tls.key
    cat >gateway/tls/listen.conf <<'NGINX'
listen 8443 ssl;
ssl_certificate /etc/nginx/server.d/tls.crt;
ssl_certificate_key /etc/nginx/server.d/tls.key;
ssl_protocols TLSv1.2 TLSv1.3;
NGINX
    if ! grep -qs '^GATEWAY_PORT=8443$' .env; then echo GATEWAY_PORT=8443 >>.env; fi
    echo "the gateway speaks TLS after: make up (the first time), make reload (a new certificate)"
    ;;
  *)
    echo "scripts/keys.sh add NAME | remove NAME | tls CERTIFICATE KEY" >&2
    exit 2
    ;;
esac
