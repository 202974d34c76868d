"""Helm, kustomize and stern: programs of the command line."""

import os
from pathlib import Path

from tests.clients.checks import Check, Command, Place, Steps
from tests.clients.kubectl import DEPLOYMENT, Kubectl, says_first
from tests.clients.lab import IMAGE, SHARED

CHART = "apiVersion: v2\nname: app\nversion: 0.1.0\n"
VALUES = "replicas: 1\n"
TEMPLATE = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {{{{ .Release.Name }}}}}}
spec:
  replicas: {{{{ .Values.replicas }}}}
  selector: {{matchLabels: {{app: {{{{ .Release.Name }}}}}}}}
  template:
    metadata: {{labels: {{app: {{{{ .Release.Name }}}}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {{name: main, image: "{IMAGE}", imagePullPolicy: Never, command: [sleep, "3600"]}}
"""
HOOK = f"""
apiVersion: v1
kind: Pod
metadata:
  name: {{{{ .Release.Name }}}}-test
  annotations: {{helm.sh/hook: test, helm.sh/hook-delete-policy: before-hook-creation}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - {{name: main, image: "{IMAGE}", imagePullPolicy: Never, command: ["true"]}}
"""


def helm_checks(folder: Path, place: Place) -> list[Check]:
    chart = place.folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(CHART)
    (chart / "values.yaml").write_text(VALUES)
    (chart / "templates" / "app.yaml").write_text(TEMPLATE)
    (chart / "templates" / "test.yaml").write_text(HOOK)
    home = {f"HELM_{name}_HOME": str(place.folder) for name in ("CACHE", "CONFIG", "DATA")}

    def helm(*arguments: str, says: str = "") -> Command:
        where = ["--kubeconfig", str(place.kubeconfig), "-n", place.namespace]
        return Command([str(folder / "helm"), *arguments, *where], says=says)

    at, wait = str(chart), ("--wait", "--timeout", "80s")
    steps = Steps(os.environ | home)
    steps.step("lint", helm("lint", at))
    steps.step("install --wait", helm("install", "app", at, *wait, says="deployed"))
    steps.step("test", helm("test", "app", "--timeout", "80s", says="Succeeded"))
    more = ("--set", "replicas=2")
    steps.step("upgrade", helm("upgrade", "app", at, *wait, *more, says="REVISION: 2"))
    steps.step("rollback", helm("rollback", "app", "1", *wait, says="success"))
    steps.step(
        "history, get all, list, status",
        helm("history", "app", says="Rollback to 1"),
        helm("get", "all", "app", says="kind: Deployment"),
        helm("list", says="app-0.1.0"),
        helm("status", "app", says="deployed"),
    )
    dry = ("--install", "--dry-run=server")
    steps.step("upgrade --dry-run=server", helm("upgrade", "app", at, *dry, says="Deployment"))
    steps.step("uninstall --wait", helm("uninstall", "app", *wait, says="uninstalled"))
    return steps.checks


def kustomize_checks(folder: Path, place: Place) -> list[Check]:
    base = place.folder / "base"
    base.mkdir()
    (base / "kustomization.yaml").write_text("resources: [app.yaml]\nnamePrefix: alone-\n")
    (base / "app.yaml").write_text(DEPLOYMENT)
    steps, kubectl = Steps(os.environ), Kubectl(place)
    built = place.folder / "built.yaml"
    build = [str(folder / "kustomize"), "build", str(base), "-o", str(built)]
    steps.step(
        "build, then kubectl apply and delete",
        Command(build),
        kubectl("apply", "-f", str(built), says="alone-app created"),
        kubectl("delete", "-f", str(built), says="alone-app"),
    )
    return steps.checks


def stern_checks(folder: Path, place: Place) -> list[Check]:
    where = ["--kubeconfig", str(place.kubeconfig), "-n", SHARED]
    stern = [str(folder / "stern"), "web", *where, "-c", "main", "--tail", "1"]
    steps = Steps(os.environ)
    steps.step("logs without following", Command([*stern, "--no-follow"], says="line"))
    says_first(steps, "logs, followed", Command(stern), "line")
    return steps.checks
