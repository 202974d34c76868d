#!/usr/bin/env bash
# Usage: ./test.sh [--fast | --long] [--only NAME]... [--list] [--help]
#
# Sets itself up and runs everything that this machine can run, in two lanes side by side; says at
# the end what it left out, and why. Exit 1 when something failed.
#
#   --fast        what needs neither Docker nor a browser
#   --long        soak tests and full matrices too
#   --only NAME   only this check (several times: several); --list names them
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/scripts/common.sh"

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}"; }

checks=(format lint types imports shell generated page-check page-unit page-size python docker browser
  browser-kind compose)
pace=usual only=' '
while [ $# -gt 0 ]; do
  case $1 in
    --fast) pace=fast ;;
    --long) pace=long ;;
    --only)
      [ $# -gt 1 ] || die "--only takes the name of a check" "./test.sh --list"
      case " ${checks[*]} " in *" $2 "*) ;; *) die "there is no check $2" "./test.sh --list" ;; esac
      only="$only$2 "
      shift ;;
    --list) printf '%s\n' "${checks[@]}"; exit ;;
    -h | --help) usage; exit ;;
    *)
      printf 'test.sh: unknown argument %s\n\n' "$1" >&2
      usage >&2
      exit 2 ;;
  esac
  shift
done

reports=$repository/.pyk8s/test
rm -rf "$reports"
(umask 077; mkdir -p "$reports")
export NEXT_TELEMETRY_DISABLED=1 PYTHONDONTWRITEBYTECODE=1
# A server that the tester runs must not leak into the tests.
for name in $(compgen -e | grep '^PYK8S_' || true); do unset "$name"; done
# shellcheck disable=SC2034 # read in common.sh
data_dir=$repository/.pyk8s

# check NAME SUMMARY COMMAND...: run, keep the output, show it when it fails.
check() {
  local name=$1 what=$2 began=$SECONDS status=0; shift 2
  case $only in ' ') ;; *" $name "*) ;; *) return 0 ;; esac
  (cd "$repository" && "$@") > "$reports/$name.log" 2>&1 || status=$?
  if [ "$status" = 0 ]; then
    printf 'ok       %-13s %s (%s s)\n' "$name" "$what" "$((SECONDS - began))"
  else
    printf 'FAILED   %-13s %s (%s s)\n' "$name" "$what" "$((SECONDS - began))"
    tail -n 60 "$reports/$name.log" | sed 's/^/    /'
  fi
  printf '%s\t%s\t%s\n' "$status" "$name" "$what" >> "$reports/results"
}

# skip NAME REASON
skip() {
  case $only in ' ') ;; *" $1 "*) ;; *) return 0 ;; esac
  printf 'skipped  %-13s %s\n' "$1" "$2"
  printf 'skip\t%s\t%s\n' "$1" "$2" >> "$reports/results"
}

bin() { local name=$1; shift; "$venv/bin/$name" "$@"; }
tests() { local name=$1; shift; bin python -m pytest -q --junit-xml "$reports/$name.xml" "$@"; }
page() { (cd "$repository/frontend" && npm run --silent "$@"); }

# in_background COMMAND...: in a process group of its own, which ends with us.
background=()
in_background() {
  set -m
  "$@" < /dev/null &
  set +m
  background+=($!)
}

# Waits for all of it; 1 when one of them failed.
all_done() {
  local pid status=0
  for pid in ${background[@]+"${background[@]}"}; do wait "$pid" || status=1; done
  background=()
  return "$status"
}

end_background() {
  local pid
  for pid in ${background[@]+"${background[@]}"}; do kill -s "$1" -- "-$pid" 2> /dev/null || true; done
  all_done || true
}
trap 'end_background INT; exit 130' INT
trap 'end_background TERM; exit 143' TERM
trap 'end_background TERM' EXIT

chromium=''
find_chromium() {
  local name
  for name in chromium chromium-browser google-chrome-stable google-chrome; do
    if command -v "$name" > /dev/null; then chromium=$(command -v "$name"); return; fi
  done
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    step "Installing Chromium for the browser test"
    export DEBIAN_FRONTEND=noninteractive
    quietly "$(log_file apt)" apt-get update -q || true
    quietly "$(log_file apt)" apt-get install -y -q --no-install-recommends chromium || return 1
    chromium=$(command -v chromium) && return
  fi
  return 1
}

install_tools() { install_page_packages && install_spec_tools; }
fetch_chromium() { find_chromium || true; }

# --- set up ------------------------------------------------------------------

ensure_venv
ensure_node
in_background install_tools
if [ "$pace" != fast ]; then in_background fetch_chromium; fi
install_locked dev server cli
all_done || exit 1
export PATH=$venv/bin:$PATH

# --- what takes a part -------------------------------------------------------

shell_check() { shellcheck -x restart.sh clean-restart.sh test.sh .ci/run bench/run scripts/*.sh server/drivers/*.sh; }

# with_server DRIVER COMMAND...: a server of our own in a data directory of its own.
with_server() {
  local driver=$1 port status=0 folder; shift
  folder=$(mktemp -d "${TMPDIR:-/tmp}/pyk8s-test.XXXXXX")
  port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export PYK8S_DATA_DIR=$folder PYK8S_DRIVER=$driver PYK8S_BASE_URL=http://localhost:$port
  export PYK8S_CLUSTER_ISOLATION=off  # firewall rules on this host outlive a server
  bin python scripts/local.py start --port "$port" && "$@" || status=$?
  if [ "$status" != 0 ]; then tail -n 30 "$folder/server.log"; fi
  bin python scripts/local.py stop || true
  bin python -m server.store.embedded remove "$folder" || true
  rm -rf "$folder"
  return "$status"
}

# Both lanes want the page built: whoever comes second waits for the first.
built_page() {
  local status=0
  until mkdir "$reports/building" 2> /dev/null; do sleep 0.5; done
  (build_page) || status=$?
  rmdir "$reports/building"
  return "$status"
}

browser_test() {
  built_page || return 1
  PYK8S_CHROMIUM=$chromium PYK8S_SIMULATE=${2:-} PYK8S_LOOKS=${3:-} PYK8S_SCREENSHOTS=$reports/screenshots/$1 \
    PYK8S_DOWNLOADS=$reports/downloads/$1 with_server "$1" page test:browser
}

page_size() { built_page && page size; }

# --- the checks --------------------------------------------------------------

# First what is quick, and what writes into this folder for a moment.
check format "Python is formatted" bin ruff format --check .
check lint "ruff" bin ruff check .
check generated "generated files are up to date" scripts/generate.sh --check

marks='not docker and not browser' docker_marks=docker
if [ "$pace" != long ]; then
  marks="$marks and not long" docker_marks='docker and not long'
  skip long "soak tests and full matrices: only with --long"
fi

has_docker='' has_compose='' has_chromium='' no_docker='' no_compose=''
if [ "$pace" != fast ]; then
  if docker_answers; then has_docker=1; else no_docker=$docker_problem; fi
  if compose_answers; then has_compose=1; else no_compose=$docker_problem; fi
  if find_chromium; then has_chromium=1; fi
fi

# What computes: our own processes, and PostgreSQL.
computing_lane() {
  check types "mypy, strict" bin mypy
  check imports "the direction of imports" bin lint-imports
  if command -v shellcheck > /dev/null; then
    check shell "shellcheck" shell_check
  else
    skip shell "shellcheck is not installed"
  fi
  # More workers than cores: many a test waits for a deadline of the server's.
  check python "pytest: unit, integration on real PostgreSQL, docs" tests python -n 3 --dist worksteal -m "$marks"
  if [ "$pace" = fast ]; then
    skip browser "left out by --fast"
  elif [ -z "$has_chromium" ]; then
    skip browser "Chromium is not installed"
  else
    check browser "a person's whole way in a browser, simulated" browser_test simulated slow
  fi
}

# The page, then what waits for containers: these one after the other, they share Docker.
waiting_lane() {
  check page-check "the page: tsc and eslint" page check
  check page-unit "the page: vitest" page test --reporter=default --reporter=junit --outputFile="$reports/page-unit.xml"
  if [ "$pace" = fast ]; then
    for name in page-size docker browser-kind compose; do skip "$name" "left out by --fast"; done
    return
  fi
  check page-size "script of the first view is within its budget" page_size
  if [ -z "$has_docker" ]; then
    skip docker "$no_docker"
  else
    check docker "pytest: with real Docker and kind" tests docker -m "$docker_marks"
  fi
  if [ -z "$has_chromium" ]; then
    skip browser-kind "Chromium is not installed"
  elif [ -z "$has_docker" ]; then
    skip browser-kind "$no_docker"
  elif ! command -v kind > /dev/null; then
    skip browser-kind "kind is not installed"
  else
    check browser-kind "the same with real kind" browser_test kind '' 'cluster access events settings dashboard'
  fi
  if [ -z "$has_compose" ]; then
    skip compose "$no_compose"
  else
    local wide=
    if [ "$pace" = long ]; then wide=--wide; fi
    check compose "restart.sh and clean-restart.sh in containers" scripts/try-compose.sh $wide
  fi
}

in_background computing_lane
in_background waiting_lane
status=0
all_done || status=1
if [ "$status" != 0 ]; then say "A lane broke: what it did not come to is missing below."; fi
"$venv/bin/python" "$repository/scripts/tally.py" "$reports" || status=1
[ "$status" = 0 ]
