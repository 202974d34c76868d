#!/usr/bin/env bash
# Usage: scripts/generate.sh [--check]
#
# Writes every generated file: frontend/openapi.json, the page's types, docs/reference/asyncapi.json,
# the generated parts of docs/reference and docs/howto/troubleshoot.md, the golden files of the reducer. --check changes
# nothing and fails where one is not up to date.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/common.sh"

case ${1:-} in
  '' | --check) ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}"; exit ;;
esac
cd "$repository"
# The names in it are seen from anywhere: no setting of this shell may get in.
for name in $(compgen -e | grep '^PYK8S_' || true); do unset "$name"; done
ensure_node

generated=(frontend/openapi.json frontend/lib/api/schema.d.ts docs/reference docs/howto/troubleshoot.md
  tests/golden/reducer)
kept=$(mktemp -d "${TMPDIR:-/tmp}/pyk8s-generate.XXXXXX")
trap 'rm -rf "$kept"' EXIT
for path in "${generated[@]}"; do
  mkdir -p "$kept/$(dirname "$path")"
  cp -R "$path" "$kept/$path"
done

"$venv/bin/python" -m server.api.openapi > "$kept/openapi.json"
mv "$kept/openapi.json" frontend/openapi.json
(cd frontend && npm run --silent generate > /dev/null)
"$venv/bin/python" -m server.api.asyncapi > "$kept/asyncapi.json"
mv "$kept/asyncapi.json" docs/reference/asyncapi.json
"$venv/bin/python" -m scripts.generate_docs
"$venv/bin/python" -m tests.golden.make_reducer > /dev/null
"$venv/bin/python" -m tests.golden.make_forecast > /dev/null
"$venv/bin/python" -m pyk8s.cli.reference > /dev/null

if [ "${1:-}" != --check ]; then exit; fi
stale=()
for path in "${generated[@]}"; do
  if ! diff -ru "$kept/$path" "$path" | head -n 40; then stale+=("$path"); fi
  # The old file goes back: a check changes nothing.
  rm -rf "$path"
  cp -R "$kept/$path" "$path"
done
if [ ${#stale[@]} -gt 0 ]; then
  die "not up to date: ${stale[*]}" "run scripts/generate.sh, look at the difference, commit it"
fi
