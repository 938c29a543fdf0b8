#!/usr/bin/env bash
# Pin the image to what its tag means today: asks the registry for the digest and writes VLLM_IMAGE into .env.
set -euo pipefail
cd "$(dirname "$0")/.."

docker buildx version >/dev/null 2>&1 || {
  echo "docker has no buildx here, which asks the registry for the digest: install Docker Engine with its buildx plugin" >&2
  exit 1
}
image=vllm/vllm-openai:v0.33.0
digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
case $digest in
sha256:*) ;;
*)
  echo "the registry gave no digest for $image: $digest" >&2
  exit 1
  ;;
esac

touch .env
chmod 600 .env
{ grep -v '^VLLM_IMAGE=' .env || true; } >.env.new
echo "VLLM_IMAGE=$image@$digest" >>.env.new
mv .env.new .env
echo "pinned $image@$digest"
