#!/usr/bin/env bash
# Usage: ./restart.sh [--local] [--port N] | --stop | --logs | --help
#
# Starts PyK8s Lab, or brings what runs up to date: rebuilds only what changed, applies pending
# migrations, keeps users and clusters. Returns when it works, or says why not (exit 1).
#
#   (nothing)   in containers, with Docker Compose: page on port 3000, API on port 8000, kubectl on 8443;
#               where no Docker answers, as with --local
#   --local     without containers for the server: all of it on port 8000, kubectl on 8443 (N + 443)
#   --port N    another port for the page (in containers) or for everything (--local)
#   --stop      stops either way to run; keeps the data
#   --logs      follows the server's log
#
# Settings are environment variables: docs/reference/configuration.md
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/scripts/common.sh"

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}"; }

local_mode='' action=start port=''
while [ $# -gt 0 ]; do
  case $1 in
    --local) local_mode=1 ;;
    --stop) action=stop ;;
    --logs) action=logs ;;
    --port=*) port=${1#--port=} ;;
    --port)
      [ $# -gt 1 ] || die "--port takes a number" "./restart.sh --port 8080"
      port=$2
      shift ;;
    -h | --help) usage; exit ;;
    *)
      printf 'restart.sh: unknown argument %s\n\n' "$1" >&2
      usage >&2
      exit 2 ;;
  esac
  shift
done
# expect_port NAME VALUE
expect_port() {
  case $2 in
    *[!0-9]* | ??????* | '') ;;
    *) if [ "$2" -ge 1 ] && [ "$2" -le 65535 ]; then return; fi ;;
  esac
  die "$1 takes a number from 1 to 65535, not '$2'" "./restart.sh --port 8080"
}
if [ -n "$port" ]; then expect_port --port "$port"; fi

local_server() { "$venv/bin/python" "$repository/scripts/local.py" "$@"; }

# 0: it ran and was stopped
stop_local() {
  local status=0
  if [ ! -x "$venv/bin/python" ] || [ ! -d "$data_dir" ]; then return 3; fi
  local_server stop || status=$?
  if [ "$status" = 1 ]; then exit 1; fi
  return "$status"
}

stop_containers() {
  if ! compose_answers || ! compose_is_ours; then return 3; fi
  quietly "$(log_file compose)" compose down --remove-orphans --timeout 20 \
    || die "the containers could not be stopped" "see the lines above"
}

stop() {
  local stopped=
  if stop_local; then say "The server on this machine is stopped."; stopped=1; fi
  if stop_containers; then say "The containers are stopped."; stopped=1; fi
  if [ -n "$stopped" ]; then say "The data is kept; ./restart.sh goes on with it."; else say "Nothing was running."; fi
}

follow_logs() {
  if [ -x "$venv/bin/python" ] && local_server status; then
    exec tail -n 200 -F "$data_dir/server.log"
  fi
  if compose_answers && compose_is_ours; then
    compose logs --follow --tail 200 backend
    exit
  fi
  die "nothing runs, so there is no log to follow" "./restart.sh starts it"
}

# --- without containers ------------------------------------------------------

start_local() {
  ensure_venv
  install_locked server cli
  build_page
  if stop_containers; then say "The containers are stopped first (their data is kept apart)."; fi
  local_server start ${port:+--port "$port"}
}

# --- in containers -----------------------------------------------------------

# expect_free PORT OPTION: said before Docker says it in its own words.
expect_free() {
  (exec 3<> "/dev/tcp/${PYK8S_BIND:-127.0.0.1}/$1") 2> /dev/null || return 0
  local by=
  if [ -x "$venv/bin/python" ]; then by=$(local_server listener "$1"); fi
  die "port $1 is in use$by" "end that program, or take another port: $2"
}

expect_free_ports() {
  if compose_is_ours; then return; fi
  expect_free "$PYK8S_WEB_PORT" "./restart.sh --port $((PYK8S_WEB_PORT + 1))"
  expect_free "$PYK8S_API_PORT" "PYK8S_API_PORT=$((PYK8S_API_PORT + 1)) ./restart.sh"
  expect_free "$PYK8S_PROXY_PORT" "PYK8S_PROXY_PORT=$((PYK8S_PROXY_PORT + 1)) ./restart.sh"
}

# What /readyz says. Asked in the container: this machine may have nothing to ask with.
ask_ready() {
  compose exec -T backend python - <<'PYTHON'
import json, sys, urllib.error, urllib.request
try:
    with urllib.request.urlopen("http://127.0.0.1:8000/readyz?verbose", timeout=5) as answer:
        health = json.load(answer)
except urllib.error.HTTPError as error:
    health = json.load(error)
except OSError as error:
    print(f"  the server does not answer: {error}")
    sys.exit(1)
if health.get("status") == "ok":
    print(health.get("driver"))
    sys.exit(0)
for check in health.get("checks", []):
    if not check.get("ok"):
        print(f"  {check.get('name')}: {check.get('detail')}")
        if check.get("fix"):
            print(f"    What to do: {check['fix']}")
sys.exit(1)
PYTHON
}

# Prints the code that the first account needs, if it needs one and is still to be made.
ask_setup_code() {
  compose exec -T backend python - <<'PYTHON'
import json, pathlib, urllib.request
try:
    with urllib.request.urlopen("http://127.0.0.1:8000/api/v1/server", timeout=5) as answer:
        if json.load(answer).get("setup_code_required"):
            print(pathlib.Path("/data/setup-code").read_text().strip())
except OSError:
    pass
PYTHON
}

explain_containers() {
  compose ps --all >&2 || true
  compose logs --no-color --tail 25 "$@" >&2 || true
}

start_containers() {
  export PYK8S_WEB_PORT=${port:-${PYK8S_WEB_PORT:-3000}} PYK8S_API_PORT=${PYK8S_API_PORT:-8000}
  export PYK8S_PROXY_PORT=${PYK8S_PROXY_PORT:-8443}
  expect_port PYK8S_WEB_PORT "$PYK8S_WEB_PORT"
  expect_port PYK8S_API_PORT "$PYK8S_API_PORT"
  expect_port PYK8S_PROXY_PORT "$PYK8S_PROXY_PORT"
  find_docker_gid
  if stop_local; then say "The server on this machine is stopped first (its data is kept apart)."; fi
  expect_free_ports
  step "Building what changed (the first time takes some minutes)"
  quietly "$(log_file build)" compose build \
    || die "the images could not be built" "see the lines above; all of it: $(log_file build)"
  step "Starting db, backend and frontend"
  if ! quietly "$(log_file compose)" compose up --detach --no-build --remove-orphans --wait --wait-timeout 180; then
    explain_containers backend frontend
    die "the containers did not become healthy" "the lines above say which; then ./restart.sh again"
  fi
  step "Applying pending migrations"
  quietly "$(log_file migrate)" compose exec -T backend alembic upgrade head \
    || die "the migrations could not be applied" "correct the migration that is named above, then ./restart.sh again"
  local told='' tries=0
  until told=$(ask_ready 2>&1); do
    tries=$((tries + 1))
    if [ "$tries" -ge 30 ]; then
      printf '%s\n' "$told" >&2
      die "the server runs, but cannot work" "see above; its log: ./restart.sh --logs"
    fi
    sleep 1
  done
  offer_command
  local code
  code=$(ask_setup_code 2> /dev/null || true)
  cat <<TEXT

PyK8s Lab runs in containers.
  Page       http://localhost:$PYK8S_WEB_PORT
  API        http://localhost:$PYK8S_API_PORT/docs
  kubectl    ${PYK8S_PROXY_URL:-https://localhost:$PYK8S_PROXY_PORT}
  Clusters   $(case $told in simulated) echo "SIMULATED: no kind here, so nothing can run in them" ;; *) echo "real ones, by $told" ;; esac)
  Log        ./restart.sh --logs
  Commands   $command_line
  Stop       ./restart.sh --stop
TEXT
  if [ -n "$code" ]; then printf '  Setup code %s   (the first account needs it)\n' "$code"; fi
}

# The command `pyk8s` for this machine, where it has a Python for it.
offer_command() {
  command_line='docker compose exec backend pyk8s --help'
  if find_python > /dev/null; then
    ensure_venv
    if [ ! -e "$venv/.locked-server" ]; then install_locked cli; fi
    command_line="export PATH=\"$venv/bin:\$PATH\"; pyk8s create demo"
  fi
}

case $action in
  stop) stop ;;
  logs) follow_logs ;;
  start)
    if [ -n "$local_mode" ]; then
      start_local
    elif compose_answers; then
      start_containers
    else
      say "$docker_problem: going on without containers, as with --local."
      say "  For real clusters: $docker_fix"
      start_local
    fi ;;
esac
