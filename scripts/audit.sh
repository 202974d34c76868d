#!/usr/bin/env bash
# Usage: scripts/audit.sh [--sbom-only]
#
# Compares every locked package, of Python and of the page, with what is known about vulnerabilities, and
# writes what the project is made of to .pyk8s/sbom/ (CycloneDX). Exit status: 0 nothing known, 1 something
# is known, 3 a source of advisories could not be asked: nothing is known then, which is not the same as 0.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/common.sh"

case ${1:-} in -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0"; exit ;; esac
cd "$repository"
readonly tools=$repository/.pyk8s/audit sbom=$repository/.pyk8s/sbom
readonly known=1 unknown=3
result=0

# Auditors have dependencies of their own: not in the environment that they look at.
prepare() {
  local wanted
  wanted=$("$venv/bin/python" scripts/checkout.py fingerprint requirements/audit.txt)
  if [ "$(cat "$tools/.locked" 2> /dev/null)" = "$wanted" ]; then return; fi
  step "Installing the locked auditors"
  rm -rf "$tools"
  "$venv/bin/python" -m venv "$tools"
  quietly "$(log_file audit)" "$tools/bin/python" -m pip install --disable-pip-version-check --no-input \
    --require-hashes --requirement requirements/audit.txt \
    || die "the auditors could not be installed" "see the lines above; is there a network?"
  printf '%s\n' "$wanted" > "$tools/.locked"
}

# A finding is worse than an answer that is missing.
found() { if [ "$result" -ne "$known" ]; then result=$1; fi; }

# clean, vulnerable or unknown. Exit statuses do not tell: pip-audit ends with 0 when every package was skipped
# because its source did not answer.
verdict() { "$venv/bin/python" scripts/audit_report.py "$1"; }

judge() {
  local what=$1 report=$2
  case $(verdict "$report") in
    clean) step "$what: nothing known" ;;
    vulnerable) say "$what: VULNERABLE, see $report"; found "$known" ;;
    *) say "$what: NOT CHECKED, the source of advisories did not answer for all: $report"; found "$unknown" ;;
  esac
}

# ask_python REPORT OPTIONS...
ask_python() {
  local report=$1; shift
  rm -f "$report"
  limit 300 "$tools/bin/pip-audit" --disable-pip --format json --output "$report" --progress-spinner off "$@" \
    >> "$(log_file audit)" 2>&1 || true
}

audit() {
  local lock report=$sbom/canary.json
  # A mirror may answer and know no advisories: a version that is known to be vulnerable shows it.
  printf 'jinja2==2.10\n' > "$sbom/canary.txt"
  ask_python "$report" --requirement "$sbom/canary.txt" --no-deps
  if [ "$(verdict "$report")" = vulnerable ]; then
    for lock in server dev; do
      report=$sbom/audit-$lock.json
      ask_python "$report" --requirement "requirements/$lock.txt" --require-hashes
      judge "Python, requirements/$lock.txt" "$report"
    done
  else
    say "Python: NOT CHECKED, the source of advisories knows none of jinja2 2.10, which has some: $report"
    found "$unknown"
  fi
  report=$sbom/audit-page.json
  (cd frontend && limit 300 npm audit --package-lock-only --json) > "$report" 2>> "$(log_file audit)" || true
  judge "the page, frontend/package-lock.json" "$report"
}

write_sbom() {
  "$tools/bin/cyclonedx-py" requirements requirements/server.txt --pyproject pyproject.toml \
    --output-reproducible --output-format JSON --output-file "$sbom/server.cdx.json" 2>> "$(log_file audit)"
  (cd frontend && npm sbom --package-lock-only --sbom-format cyclonedx) > "$sbom/page.cdx.json"
  step "What the project is made of: $sbom/server.cdx.json, $sbom/page.cdx.json"
}

ensure_node
prepare
mkdir -p "$sbom"
write_sbom
if [ "${1:-}" != --sbom-only ]; then audit; fi
exit "$result"
