#!/usr/bin/env bash
# Reads .env the one way in which Compose, these scripts and kubectl agree, and runs nothing in it.
#   . scripts/env.sh                in a script: each NAME=value becomes a variable
#   scripts/env.sh NAME...          prints these lines, for kubectl
# A value that one of the three would read otherwise is refused: it holds a sign beyond letters, digits and ._/:@%+=,~-

read_env() {
  local line name value number=0
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    line=${line%$'\r'}
    case $line in '' | '#'*) continue ;; esac
    name=${line%%=*} value=${line#*=}
    case $name in
      "$line" | '' | *[!A-Za-z0-9_]* | [0-9]*)
        echo ".env, line $number: write NAME=value, without spaces around" >&2
        return 1
        ;;
    esac
    case $value in
      *[!A-Za-z0-9._/:@%+=,~-]*)
        echo ".env, line $number: $name holds a sign that Compose, the shell and kubectl read differently" >&2
        echo "  only letters, digits and ._/:@%+=,~- mean the same to all: for a key take hex digits (openssl rand -hex 32)" >&2
        return 1
        ;;
    esac
    "$1" "$name" "$value"
  done <.env
}

set_variable() { printf -v "$1" %s "$2" && export "${1?}"; }

print_chosen() {
  local one
  for one in "${chosen[@]}"; do
    if [ "$one" = "$1" ] && [ -n "$2" ]; then printf '%s=%s\n' "$1" "$2"; fi
  done
}

if [ "${BASH_SOURCE[0]}" != "$0" ]; then
  if [ -f .env ]; then read_env set_variable || exit 1; fi
else
  set -euo pipefail
  cd "$(dirname "$0")/.."
  chosen=("$@")
  read_env print_chosen
fi
