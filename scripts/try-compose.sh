#!/usr/bin/env bash
# Usage: scripts/try-compose.sh [--wide]
#
# --wide  tries every port of what a cluster may see, with another cluster beside; minutes more
#
# The way in containers, from a clean copy of this folder and in an empty home: start, a real
# cluster through the page's port, start again, a migration, start from scratch, stop. Uses a
# project name and ports of its own, and removes all of it.
set -euo pipefail
wide=${1:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/pyk8s-compose.XXXXXX")
copy=$work/copy
mkdir -p "$copy" "$work/home"
# Docker's client finds its plugins in the home; where they came with it, they are elsewhere.
real_home=${HOME:-}
export HOME=$work/home
if [ -d "$real_home/.docker/cli-plugins" ]; then
  mkdir -p "$HOME/.docker"
  ln -s "$real_home/.docker/cli-plugins" "$HOME/.docker/cli-plugins"
fi
python=$here/.venv/bin/python
free_port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PYK8S_API_PORT=$(free_port)
PYK8S_PROXY_PORT=$(free_port)
web_port=$(free_port)
export PYK8S_API_PORT PYK8S_PROXY_PORT COMPOSE_PROJECT_NAME=pyk8s-try-$$
unset DOCKER_GID PYK8S_DATA_DIR || true
page=http://localhost:$web_port

finish() {
  status=$?
  cd "$copy"
  export DOCKER_GID=0
  if [ "$status" != 0 ]; then docker compose logs --no-color --tail 40 || true; fi
  ./clean-restart.sh --only-delete --yes > "$work/delete.log" 2>&1 || tail -n 20 "$work/delete.log"
  rm -rf "$work"
  exit "$status"
}

say() { printf '\n== %s\n' "$*"; }
fail() { printf '\nFAILED: %s\n' "$*"; exit 1; }
trap finish EXIT

cd "$here"
# What is committed and what is about to be; a Git repository is not needed.
if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
  git ls-files -z --cached --others --exclude-standard
else
  find . \( -name .venv -o -name .pyk8s -o -name node_modules -o -name .next -o -path ./frontend/out \) -prune -o -type f -print0
fi | while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done \
  | tar --null --files-from - --create --file - | tar --extract --file - --directory "$copy"
cd /

say "first start"
"$copy/restart.sh" --port "$web_port"

say "a cluster through the page's port"
PYTHONPATH=$here "$python" "$here/scripts/try_cluster.py" "$page" create kept
before=$(docker ps --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" | sort)

say "second start: nothing rebuilt, the cluster kept"
"$copy/restart.sh" --port "$web_port"
after=$(docker ps --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" | sort)
[ "$before" = "$after" ] || fail "containers were made anew: $before / $after"

say "clusters are closed off from the host"
# asked: what readyz tells of a check.
asked() {
  docker compose exec -T backend python -c "
import json, sys, urllib.request
said = json.load(urllib.request.urlopen('http://127.0.0.1:8000/readyz?verbose'))
print(next(check for check in said['checks'] if check['name'] == sys.argv[1])['ok'])" "$1"
}
cd "$copy"
for try in $(seq 60); do
  if [ "$(asked cluster_isolation)" = True ]; then break; fi
  [ "$try" != 60 ] || fail "readyz does not say that clusters are closed off"
  sleep 2
done
[ "$(asked node_limits)" = True ] || fail "nodes have no limits"
cd /

say "what can be reached from a cluster"
if [ -n "$wide" ]; then
  PYTHONPATH=$here "$python" "$here/scripts/try_cluster.py" "$page" add beside
fi
instance=$(cd "$copy" && docker compose exec -T backend cat /data/host-id)
network=$(docker network ls --filter "label=pyk8s.instance=$instance" --format '{{.Name}}' | sort | sed -n 1p)
node=$(docker ps --filter "label=io.x-k8s.kind.cluster=${network#zz-}" --format '{{.Names}}')
"$python" "$here/scripts/try_reach.py" "$COMPOSE_PROJECT_NAME" "$node" ${wide:+"$wide"}

say "what each container may do"
# each SERVICE FORMAT WANTED: what Docker says of a service's container.
each() {
  told=$(docker inspect --format "$2" "$(cd "$copy" && docker compose ps --quiet "$1")")
  [ "$told" = "$3" ] || fail "$1: $2 is $told, not $3"
}
for service in frontend backend db; do
  each "$service" '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}' '[ALL] []'
  each "$service" '{{.HostConfig.SecurityOpt}}' '[no-new-privileges:true]'
  each "$service" '{{.HostConfig.ReadonlyRootfs}}' true
  each "$service" '{{if .HostConfig.Memory}}memory{{end}} {{if .HostConfig.PidsLimit}}pids{{end}}' 'memory pids'
  each "$service" '{{index .HostConfig.LogConfig.Config "max-size"}}' 10m
done
each backend '{{range .Mounts}}{{if eq .Destination "/app/migrations"}}{{.RW}}{{end}}{{end}}' false
cd "$copy"
[ "$(docker compose exec -T backend cat /proc/sys/net/ipv4/ip_forward)" = 0 ] || fail "the backend forwards packets"
docker compose exec -T backend python -c 'import tempfile; tempfile.TemporaryFile()' || fail "no place for temporary files"
if docker compose exec -T frontend node -e "require('net').connect(5432, 'db').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"; then
  fail "the page's container reaches the database"
fi

say "a migration made in a container lies on the host, and the next start applies it"
docker compose run --rm --no-deps -T --user "$(id -u):$(id -g)" --volume "$PWD:/work" --workdir /work --env PYTHONPATH=/work \
  backend alembic revision --autogenerate -m "tried out"
made=$(find migrations/versions -name '*_tried_out.py')
[ -n "$made" ] || fail "no file in migrations/versions"
docker compose exec -T backend alembic current 2>&1 | grep -q '(head)' && fail "it is applied already"
instance=$(docker compose exec -T backend cat /data/host-id)
network=$(docker network ls --filter "label=pyk8s.instance=$instance" --format '{{.Name}}' | sort | sed -n 1p)
[ -n "$network" ] || fail "the cluster has no network of its own"
node=$(docker ps --quiet --filter "network=$network" --filter label=io.x-k8s.kind.cluster)
[ -n "$node" ] || fail "the cluster's node is not in its network"
"$copy/restart.sh" --port "$web_port"
docker compose exec -T backend alembic current 2>&1 | grep -q '(head)' || fail "the migration is not applied"
docker compose exec -T backend python -c 'import os; assert os.getuid() != 0, "the backend is root"'
"$python" "$here/scripts/try_cluster.py" "$page" expect kept
rm -f "$made"
cd /

say "from scratch"
"$copy/clean-restart.sh" --yes --port "$web_port"
"$python" "$here/scripts/try_cluster.py" "$page" expect-empty
[ -z "$(docker network ls --quiet --filter "label=pyk8s.instance=$instance")" ] || fail "a cluster's network is left"
if docker inspect "$node" > /dev/null 2>&1; then fail "a cluster's node is left"; fi
if [ "$(id -u)" = 0 ] && command -v iptables > /dev/null; then
  if iptables -S | grep -q "PYK8S-${instance: -12}"; then fail "a server's firewall rules are left"; fi
fi

say "stop"
"$copy/restart.sh" --stop
[ -z "$(docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")" ] \
  || fail "containers are left after --stop"
say "all of it works"
