"""A shell in a node of kind: bash that names the cluster, kubectl under the user's own name.

kubectl has a certificate of the user's, signed in the node, and no impersonation of the
administrator's: a kubeconfig's `as-groups` are added to whatever `--as` names, so that the answer
would be the administrator's again.

All that somebody chose (names, sizes) goes into it as environment or as an argument of its own,
never into a text that a shell reads.
"""

from functools import partial
from typing import Final
from uuid import UUID, uuid4

from server.drivers.base import PodTarget, Shell, ShellWish, kind_name
from server.drivers.docker import DockerEngine
from server.drivers.kube_identity import PEOPLE

PREPARE: Final = r"""
umask 077
dir="/run/pyk8s/$PYK8S_USER"
mkdir -p "$dir"
echo "$$" > "/run/pyk8s/shell-$PYK8S_SHELL"
stty rows "$PYK8S_ROWS" cols "$PYK8S_COLS"
unset PYK8S_ROWS PYK8S_COLS
kubeadm kubeconfig user --config /kind/kubeadm.conf --client-name "$PYK8S_USER" \
  --org "$PYK8S_GROUP" > "$dir/kubeconfig.$$" 2> /dev/null
mv "$dir/kubeconfig.$$" "$dir/kubeconfig"
cat > "$dir/bashrc.$$" <<'END'
[ -r /etc/bash.bashrc ] && . /etc/bash.bashrc
if [ -r /usr/share/bash-completion/bash_completion ]; then
  . /usr/share/bash-completion/bash_completion
else  # kind's nodes lack it; kubectl's completion needs two of its functions
  _get_comp_words_by_ref() {  # joins again what readline parts at = and :
    local i
    words=() cword=0
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
      if ((i > 0)) && [[ ${COMP_WORDS[i]} == [=:]* || ${words[-1]} == *[=:] ]]; then
        words[-1]+=${COMP_WORDS[i]}
      else
        words+=("${COMP_WORDS[i]}")
      fi
      if ((i == COMP_CWORD)); then cword=$((${#words[@]} - 1)); fi
    done
    cur=${words[cword]} prev=${words[cword - 1]}
  }
  __ltrim_colon_completions() { :; }
fi
__pyk8s_complete() {
  . <(kubectl completion bash)
  complete -o default -F __start_kubectl k
  return 124
}
complete -F __pyk8s_complete kubectl k
alias k=kubectl ls='ls --color=auto' ll='ls -l'
HISTFILE="/run/pyk8s/$PYK8S_USER/history" HISTCONTROL=ignoreboth
shopt -s checkwinsize histappend
PS1='\[\e[1;36m\]$PYK8S_CLUSTER\[\e[0m\] \w \$ '
printf 'In the control-plane node of \e[1m%s\e[0m, as root. kubectl (k) acts as %s.\n' \
  "$PYK8S_CLUSTER" "$PYK8S_USER"
END
mv "$dir/bashrc.$$" "$dir/bashrc"
export KUBECONFIG="$dir/kubeconfig"
[ "$1" = bash ] && set -- bash --rcfile "$dir/bashrc" -i
exec "$@"
"""
"""Writes what the shell needs into the node, then becomes it."""

END: Final = r"""
file="/run/pyk8s/shell-$PYK8S_SHELL"
pid=$(cat "$file" 2>/dev/null) || exit 0
rm -f "$file"
grep -qsz "^PYK8S_SHELL=$PYK8S_SHELL\$" "/proc/$pid/environ" || exit 0
kill -HUP "$pid"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  [ -d "/proc/$pid" ] || exit 0
  sleep 0.1
done
kill -KILL "$pid"
"""
"""Hangs up on the shell: Docker lets it live on when nobody listens to it any more."""

IN_POD: Final = "command -v bash >/dev/null && exec bash || exec sh"


async def open_shell(docker: DockerEngine, attempt_id: UUID, wish: ShellWish) -> Shell:
    """Start a shell in the control-plane node, or from there in a pod.

    Raises:
        DriverError: Docker does not answer or refuses.
    """
    node = f"{kind_name(attempt_id)}-control-plane"
    token = {"PYK8S_SHELL": uuid4().hex}
    return await docker.shell(
        node,
        ["bash", "-c", PREPARE, "bash", *_program(wish.pod)],
        token
        | {
            "PYK8S_CLUSTER": wish.cluster_name,
            "PYK8S_USER": wish.username,
            "PYK8S_GROUP": PEOPLE,
            "PYK8S_ROWS": str(wish.rows),
            "PYK8S_COLS": str(wish.cols),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "HOME": "/root",
        },
        rows=wish.rows,
        cols=wish.cols,
        end=partial(docker.execute, node, ["bash", "-c", END], token),
    )


def _program(pod: PodTarget | None) -> list[str]:
    if pod is None:
        return ["bash"]
    container = [] if pod.container is None else ["-c", pod.container]
    return [
        "kubectl", "exec", "-it", "-n", pod.namespace, pod.name, *container,
        "--", "sh", "-c", IN_POD,
    ]  # fmt: skip
