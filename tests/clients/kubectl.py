"""What people do with kubectl, through one kubeconfig."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

import httpx

from tests.clients.checks import (
    STEP_SECONDS,
    Check,
    Command,
    Place,
    StepFailedError,
    Steps,
)
from tests.clients.lab import IMAGE, SHARED, until
from tests.ports import free_port

ANSWER_SECONDS = 60.0
COPIED_BYTES = 5 * 1024 * 1024

# containerd attaches standard input before standard output: what is said at once may be lost.
READS_AND_SAYS = "read x; sleep 2; echo got $x; sleep 1"

DEPLOYMENT = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app}}
spec:
  selector: {{matchLabels: {{app: app}}}}
  template:
    metadata: {{labels: {{app: app}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {{name: main, image: "{IMAGE}", imagePullPolicy: Never, command: [sleep, "3600"]}}
"""


class Kubectl:
    """Builds commands for one place."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def __call__(
        self, *arguments: str, says: str = "", typed: str = "", code: int = 0, shared: bool = False
    ) -> Command:
        namespace = SHARED if shared else self.place.namespace
        chosen = ["--kubeconfig", str(self.place.kubeconfig), "-n", namespace]
        # Flags stand behind the words: what follows `--` is the pod's.
        at = arguments.index("--") if "--" in arguments else len(arguments)
        argv = ["kubectl", *arguments[:at], *chosen, *arguments[at:]]
        return Command(argv, says=says, typed=typed, code=code)


def kubectl_checks(place: Place) -> list[Check]:
    """Run everything; see docs/reference/clients.md."""
    steps = Steps(os.environ)
    kubectl = Kubectl(place)
    _reads(steps, kubectl)
    _writes(steps, kubectl)
    _streams(steps, kubectl)
    _debugs(steps, kubectl)
    _identities(steps, kubectl)
    return steps.checks


def _reads(steps: Steps, kubectl: Kubectl) -> None:
    steps.step(
        "get, describe, explain, api-resources, cluster-info, version",
        kubectl("get", "nodes", "-o", "wide", says="Ready"),
        kubectl("describe", "pod", "web", shared=True, says="Container ID"),
        kubectl("explain", "deployment.spec.replicas", says="integer"),
        kubectl("api-resources", says="deployments"),
        kubectl("cluster-info", says="control plane"),
        kubectl("version", says="Server Version"),
    )
    steps.step("get --raw", kubectl("get", "--raw", "/readyz", says="ok"))
    steps.step("events", kubectl("events", shared=True, says="Started"))
    says_first(steps, "get --watch", kubectl("get", "pods", "--watch", shared=True), "web")
    steps.step("auth can-i --list", kubectl("auth", "can-i", "--list", says="*.*"))


def _writes(steps: Steps, kubectl: Kubectl) -> None:
    folder = kubectl.place.folder
    (folder / "kustomization.yaml").write_text("resources: [app.yaml]\nnamePrefix: k-\n")
    (folder / "app.yaml").write_text(DEPLOYMENT)
    ready = kubectl("wait", "--for=condition=Available", "deployment/app", "--timeout=80s")
    steps.step(
        "apply --server-side, wait",
        kubectl("apply", "--server-side", "-f", "-", typed=DEPLOYMENT, says="serverside-applied"),
        ready,
    )
    changed = DEPLOYMENT.replace('"3600"', '"3601"')
    steps.step("diff", kubectl("diff", "-f", "-", typed=changed, says="3601", code=1))
    steps.step(
        "scale, patch, annotate, rollout restart, status, history, undo",
        kubectl("scale", "deployment/app", "--replicas=2", says="scaled"),
        kubectl("patch", "deployment/app", "-p", '{"spec":{"minReadySeconds":0}}'),
        kubectl("annotate", "deployment/app", "a=b"),
        kubectl("rollout", "restart", "deployment/app", says="restarted"),
        kubectl("rollout", "status", "deployment/app", "--timeout=80s"),
        kubectl("rollout", "history", "deployment/app", says="2"),
        kubectl("rollout", "undo", "deployment/app", says="rolled back"),
    )
    steps.step(
        "apply -k, delete -k",
        kubectl("apply", "-k", str(folder), says="k-app"),
        kubectl("delete", "-k", str(folder), says="k-app"),
    )
    node = _output(kubectl("get", "nodes", "-o", "name"))
    steps.step(
        "cordon, drain --dry-run, uncordon",
        kubectl("cordon", node),
        kubectl("drain", node, "--ignore-daemonsets", "--force", "--dry-run=server"),
        kubectl("uncordon", node),
    )
    steps.step("delete --wait", kubectl("delete", "deployment", "app", "--wait", says="deleted"))


def _streams(steps: Steps, kubectl: Kubectl) -> None:
    says_first(steps, "logs -f", kubectl("logs", "-f", "web", "--tail=1", shared=True), "line")
    steps.step(
        "exec with standard input, exit code kept",
        kubectl("exec", "-i", "web", "--", "cat", typed="typed", says="typed", shared=True),
        kubectl("exec", "web", "--", "sh", "-c", "exit 3", code=3, shared=True),
    )
    in_terminal = " ".join(kubectl("exec", "-it", "web", "--", "tty", shared=True).argv)
    steps.step("exec -it", Command(["script", "-qec", in_terminal, "/dev/null"], says="/dev/pts/"))
    sent, back = kubectl.place.folder / "sent", kubectl.place.folder / "back"
    sent.write_bytes(os.urandom(COPIED_BYTES))
    copied = f"/tmp/{kubectl.place.endpoint}"
    steps.step(
        "cp there and back, 5 MiB",
        kubectl("cp", str(sent), f"web:{copied}", shared=True),
        kubectl("cp", f"web:{copied}", str(back), shared=True),
        Command(["cmp", str(sent), str(back)]),
    )
    port = free_port()
    forward = kubectl("port-forward", "pod/web", f"{port}:8080", shared=True)
    _answers(steps, "port-forward", forward, f"http://127.0.0.1:{port}/index.html", "hello\n")
    port = free_port()
    path = f"/api/v1/namespaces/{SHARED}/pods/web"
    serving = kubectl("proxy", f"--port={port}")
    _answers(steps, "proxy", serving, f"http://127.0.0.1:{port}{path}", '"name":')


def _answers(steps: Steps, name: str, command: Command, url: str, wanted: str) -> None:
    """Start a command that listens, and ask it."""
    last = "it never listened"

    def answered() -> bool:
        nonlocal last
        try:
            answer = httpx.get(url, trust_env=False, timeout=30)
        except httpx.TransportError:
            return False
        last = f"{answer.status_code} {answer.text[:300]}"
        return wanted in answer.text

    with left_running(command):
        try:
            until(answered, ANSWER_SECONDS, name)
        except AssertionError:
            steps.checks.append(Check(name, " ".join(last.split())))
        else:
            steps.checks.append(Check(name))


def says_first(steps: Steps, name: str, command: Command, wanted: str) -> None:
    """Start a command that goes on, and read until a line holds the words."""
    with left_running(command) as process:
        assert process.stdout is not None
        ends = Timer(ANSWER_SECONDS, process.kill)
        ends.start()
        try:
            found = any(wanted in line for line in process.stdout)
        finally:
            ends.cancel()
    steps.checks.append(Check(name, "" if found else f"it never said {wanted!r}"))


@contextmanager
def left_running(command: Command) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command.argv,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def _debugs(steps: Steps, kubectl: Kubectl) -> None:
    image = [f"--image={IMAGE}", "--image-pull-policy=Never"]
    steps.step(
        "run -i --rm",
        kubectl(
            "run", "once", "-i", "--rm", "--restart=Never", *image, "--", "sh", "-c",
            READS_AND_SAYS, typed="it\n", says="got it",
        ),
    )  # fmt: skip
    attach = kubectl("attach", "web", "-c", "main", shared=True)
    says_first(steps, "attach", attach, "line")
    container = f"debug-{kubectl.place.endpoint}"
    says = ("--", "sh", "-c", "echo it ran; sleep 600")
    debug = kubectl("debug", "web", image[0], "-c", container, *says, shared=True)
    steps.step("debug of a pod", debug)
    said = kubectl("logs", "web", "-f", "-c", container, "--pod-running-timeout=30s", shared=True)
    says_first(steps, "log of the debug container", said, "it ran")
    node = _output(kubectl("get", "nodes", "-o", "name"))
    steps.step(
        "debug of a node",
        kubectl("debug", node, image[0], "--", "sleep", "1", says="Creating debugging pod"),
    )


def _identities(steps: Steps, kubectl: Kubectl) -> None:
    place = kubectl.place
    steps.step("auth whoami", kubectl("auth", "whoami", says="ann"))
    account = f"system:serviceaccount:{place.namespace}:default"
    steps.step(
        "--as: the rights of the other count",
        kubectl("auth", "can-i", "delete", "nodes", "--as", account, says="no", code=1),
        kubectl("get", "pods", "--as", "bob", says="Forbidden", code=1),
        kubectl("auth", "whoami", "--as", "bob", "--as-group", "system:masters", says="bob"),
    )
    try:
        token = _output(kubectl("create", "token", "default"))
    except StepFailedError as error:
        steps.checks.append(Check("create token", str(error)))
        return
    steps.checks.append(Check("create token"))
    of_own = "jsonpath={.users[0].user.token}"
    if credential := _output(kubectl("config", "view", "--raw", "--minify", "-o", of_own)):
        token = f"{credential}.{token}"
    config = place.folder / "token.yaml"
    config.write_text(place.kubeconfig.read_text())
    as_account = Kubectl(Place(place.endpoint, config, place.namespace, place.folder))
    steps.step(
        "config set-credentials --token, then act as the service account",
        as_account("config", "set-credentials", "account", f"--token={token}"),
        as_account("config", "set-context", "--current", "--user=account"),
        as_account("auth", "whoami", says=account),
        as_account("get", "secrets", says="Forbidden", code=1),
    )


def _output(command: Command) -> str:
    done = subprocess.run(
        command.argv, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
    )
    if done.returncode != 0:
        raise StepFailedError(done.stderr)
    return done.stdout.strip()
