#!/usr/bin/env bash
# Usage: tests/clients/conformance/build.sh [VERSION] [FOLDER]
#
# Builds Kubernetes' own end-to-end tests, `FOLDER/e2e.test`, from the Go module k8s.io/kubernetes, and
# prints the path. What stands in the folder of that version is not built again. VERSION is the cluster's
# (v1.36.4); FOLDER is by default one of this version in the user's cache. Needs Go and 2 GB of disk;
# takes half an hour on two cores, and leaves them to whoever else wants them.
set -euo pipefail

case ${1:-} in -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0"; exit ;; esac
version=${1:-v1.36.4}
folder=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/pyk8s/conformance/$version}
binary=$folder/e2e.test
if [ -x "$binary" ]; then printf '%s\n' "$binary"; exit; fi

mkdir -p "$folder/module"
cd "$folder/module"
# The module replaces what is in its staging folder, which it leaves out of what it publishes: those
# are modules of their own, whose version is v0 where Kubernetes' is v1.
module=k8s.io/kubernetes staging=v0.${version#v1.}
go mod download "$module@$version"
source=$(go list -m -f '{{.Dir}}' "$module@$version" 2> /dev/null || true)
[ -n "$source" ] || source=$(go env GOMODCACHE)/$module@$version
{
  printf 'module conformance\n\n'
  grep -E '^(go|godebug) ' "$source/go.mod"
  printf '\nrequire %s %s\n\nreplace (\n' "$module" "$version"
  sed -nE "s|^\t(k8s.io/[a-z-]+) => ./staging/.*|\t\1 => \1 $staging|p" "$source/go.mod"
  printf ')\n'
} > go.mod

export GOFLAGS="-mod=mod -buildvcs=false -trimpath ${PYK8S_CONFORMANCE_GOFLAGS:-}" CGO_ENABLED=0
nice -n 15 go test -c -vet=off -ldflags '-s -w' -o "$binary.part" "$module/test/e2e" >&2
mv "$binary.part" "$binary"
printf '%s\n' "$binary"
