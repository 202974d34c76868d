#!/usr/bin/env bash
# Usage: ./clean-restart.sh [--yes] [--local] [--port N] [--only-delete] | --help
#
# Deletes everything of this project on this machine and starts it from scratch: users and clusters
# included. Lists first what that is, and asks. Touches nothing of other projects.
#
#   --yes          does not ask
#   --local        starts without containers afterwards (--port as for ./restart.sh)
#   --only-delete  does not start anything afterwards
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/scripts/common.sh"

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}"; }

yes='' only_delete='' again=()
while [ $# -gt 0 ]; do
  case $1 in
    --yes | -y) yes=1 ;;
    --only-delete) only_delete=1 ;;
    --local | --port=*) again+=("$1") ;;
    --port)
      [ $# -gt 1 ] || die "--port takes a number" "./clean-restart.sh --port 8080"
      again+=("$1" "$2")
      shift ;;
    -h | --help) usage; exit ;;
    *)
      printf 'clean-restart.sh: unknown argument %s\n\n' "$1" >&2
      usage >&2
      exit 2 ;;
  esac
  shift
done

has_docker='' has_compose=''
if docker_answers; then
  has_docker=1
  if compose_answers; then has_compose=1; find_docker_gid; fi
fi

# --- what there is -----------------------------------------------------------

of_project() { # of_project KIND: names of what Compose made
  docker "$1" ls ${2:+"$2"} --filter "label=com.docker.compose.project=$project" --format '{{.Name}}'
}

# The ids under which servers of this folder label their clusters: one for each way to run.
instances() {
  local volume=${project}_data image=${project}-backend
  if [ -r "$data_dir/host-id" ]; then tr -d '[:space:]' < "$data_dir/host-id"; echo; fi
  if docker volume inspect "$volume" > /dev/null 2>&1 && docker image inspect "$image" > /dev/null 2>&1; then
    limit 60 docker run --rm --network none --volume "$volume:/data:ro" --entrypoint cat "$image" /data/host-id 2> /dev/null \
      | tr -d '[:space:]' || true
    echo
  fi
}

cluster_networks() {
  local instance
  for instance in $(instances); do
    docker network ls --filter "label=pyk8s.instance=$instance" --format '{{.Name}}'
  done | sort -u
}

# caches KIND: the caches of images, as containers or as their volumes.
caches() {
  local instance list=(ls)
  if [ "$1" = container ]; then list=(ls --all); fi
  for instance in $(instances); do
    docker "$1" "${list[@]}" --filter "label=pyk8s.instance=$instance" --filter label=pyk8s.cache --format "$2"
  done | sort -u
}

# The firewall rules of a server are called by the end of its id (server/drivers/isolation.py).
remove_rules() { # remove_rules INSTANCE
  local mark=${1//-/} image
  mark=${mark: -12}
  image=$(docker image ls --format '{{.Repository}}:{{.Tag}}' kindest/node | head -n 1)
  if [ -z "$image" ] || [ -z "$mark" ]; then return; fi
  limit 60 docker run --rm --network host --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW --entrypoint sh "$image" \
    -c "$(cat "$repository/server/drivers/isolation.sh")" sh remove "PYK8S-$mark" > /dev/null 2>&1 \
    || say "The firewall rules PYK8S-$mark could not be removed: iptables -S | grep PYK8S-$mark"
}

# nodes_of NETWORK: the containers of its cluster, running or not. The network is called like the
# cluster, with a zz- before it (server/drivers/kind.py says why).
nodes_of() {
  docker ps --all --filter "label=io.x-k8s.kind.cluster=${1#zz-}" --format '{{.Names}}'
}

containers='' volumes='' networks='' servers='' clusters='' nodes='' caches='' cache_volumes='' images='' dangling=''
if [ -n "$has_docker" ]; then
  containers=$(docker ps --all --filter "label=com.docker.compose.project=$project" --format '{{.Names}}')
  volumes=$(of_project volume)
  networks=$(of_project network)
  clusters=$(cluster_networks)
  servers=$(instances)
  nodes=$(for cluster in $clusters; do nodes_of "$cluster"; done)
  caches=$(caches container '{{.Names}}')
  cache_volumes=$(caches volume '{{.Name}}')
  images=$(docker image ls --filter "label=io.pyk8s.project=$project" --filter dangling=false --format '{{.Repository}}:{{.Tag}}')
  dangling=$(docker image ls --quiet --filter "label=io.pyk8s.project=$project" --filter dangling=true)
fi
folders=()
for folder in frontend/node_modules frontend/.next frontend/out .venv; do
  if [ -e "$repository/$folder" ]; then folders+=("$repository/$folder"); fi
done
if [ -e "$repository/.pyk8s" ]; then folders+=("$repository/.pyk8s"); fi
# A folder that somebody named: only if a server of ours has lived there.
if [ "$data_dir" != "$repository/.pyk8s" ] && [ -e "$data_dir/host-id" ]; then folders+=("$data_dir"); fi

list() { # list TITLE LINES
  if [ -z "$2" ]; then return; fi
  say "  $1"
  printf '%s\n' "$2" | sed 's/^/    /' >&2
}

say "This deletes, for ever:"
list "Containers" "$containers"
list "Volumes (users, clusters and their history)" "$volumes"
list "Networks" "$networks"
list "Clusters: networks" "$clusters"
list "Clusters: nodes" "$nodes"
list "Clusters: firewall rules" "$(for server in $servers; do printf 'PYK8S-%s\n' "${server: -12}"; done)"
list "Caches of images" "$caches"
list "Caches of images: volumes" "$cache_volumes"
list "Images" "$images"
list "Dangling images of this project" "$dangling"
if [ ${#folders[@]} -gt 0 ]; then list "Folders" "$(printf '%s\n' "${folders[@]}")"; fi
if [ -L "$data_dir/postgres" ]; then list "The embedded database" "$(readlink "$data_dir/postgres")"; fi
if [ -z "$has_docker" ]; then say "  (Docker was not looked at: $docker_problem)"; fi

elsewhere=$([ -z "$has_docker" ] || docker ps --all --filter "label=com.docker.compose.project=$project" \
  --format '{{.Label "com.docker.compose.project.working_dir"}}' | grep -vxF "$repository" | sort -u || true)
if [ -n "$elsewhere" ]; then
  say "  The containers were started from another copy of the project: $elsewhere"
fi

if [ -z "$yes" ]; then
  if [ ! -t 0 ]; then die "nobody is there to be asked" "./clean-restart.sh --yes"; fi
  printf 'Go on? Type yes: ' >&2
  read -r answer
  if [ "$answer" != yes ]; then say "Nothing was deleted."; exit 1; fi
fi

# --- delete ------------------------------------------------------------------

step "Stopping"
if [ -x "$venv/bin/python" ] && [ -d "$data_dir" ]; then
  "$venv/bin/python" "$repository/scripts/local.py" stop || [ $? = 3 ] || exit 1
  if [ -L "$data_dir/postgres" ] || [ -d "$data_dir/postgres" ]; then
    (cd "$repository" && quietly "$(log_file postgres)" "$venv/bin/python" -m server.store.embedded remove "$data_dir") \
      || die "the embedded database could not be removed" "see the lines above"
  fi
fi
if [ -n "$has_docker" ] && [ -n "$containers" ]; then
  # First the server: it must not build what is being deleted.
  docker ps --quiet --filter "label=com.docker.compose.project=$project" | xargs docker stop --time 15 > /dev/null
fi

# Now that no server starts them again.
for cache in $caches; do docker rm --force "$cache" > /dev/null; done
for volume in $cache_volumes; do docker volume rm --force "$volume" > /dev/null; done
if [ -n "$clusters" ]; then
  step "Deleting clusters"
  for cluster in $clusters; do
    # Again, now that no server makes new ones.
    for node in $(nodes_of "$cluster"); do docker rm --force --volumes "$node" > /dev/null; done
    # Who is still in the network: the backend, stopped.
    for member in $(docker ps --all --quiet --filter "network=$cluster"); do
      docker network disconnect --force "$cluster" "$member" > /dev/null 2>&1 || true
    done
    docker network rm "$cluster" > /dev/null || die "the network $cluster could not be removed" "docker network inspect $cluster"
  done
fi

for server in $servers; do
  remove_rules "$server"
  # What a server that was killed while it tried the rules has left.
  docker ps --all --quiet --filter "label=pyk8s.helper=$server" | while read -r each; do docker rm --force "$each" > /dev/null; done
  docker network ls --quiet --filter "label=pyk8s.helper=$server" | while read -r each; do docker network rm "$each" > /dev/null; done
done

if [ -n "$has_compose" ]; then
  step "Deleting containers, volumes, networks and images"
  quietly "$(log_file down)" compose down --volumes --remove-orphans --rmi local --timeout 15 \
    || die "Docker Compose could not delete everything" "see the lines above"
  docker image prune --force --filter "label=io.pyk8s.project=$project" > /dev/null
fi

if [ ${#folders[@]} -gt 0 ]; then
  step "Deleting folders"
  rm -rf "${folders[@]}"
fi

# --- from scratch ------------------------------------------------------------

if [ -n "$only_delete" ]; then say "All of it is deleted."; exit; fi

if [ -n "$has_compose" ]; then
  case " ${again[*]:-} " in
    *" --local "*) ;;
    *)
      step "Building the images from scratch"
      quietly "$(log_file build)" compose build --no-cache \
        || die "the images could not be built" "see the lines above; all of it: $(log_file build)" ;;
  esac
fi
exec "$repository/restart.sh" ${again[@]+"${again[@]}"}
