"""The clients that are tried: what each is, in which version, and what it runs."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.clients import k9s, kubectl, tools
from tests.clients.checks import Check, Place, reported
from tests.clients.installing import (
    HERE,
    Installation,
    go_package,
    locked_version,
    nothing,
    own_program,
    python_packages,
)
from tests.clients.lab import IMAGE, SHARED

Run = Callable[[Path, Place], list[Check]]

CLIENT_GO = "v0.36.4"
CLIENT_NODE = "1.4.0"
FABRIC8 = "7.3.1"


@dataclass(frozen=True, slots=True)
class Client:
    """One foreign program."""

    name: str
    version: str
    needs: Sequence[str]
    """Programs without which it cannot be installed or run."""

    installation: Installation
    run: Run
    """Takes the folder that it is installed in."""

    is_quick: bool = False
    """Whether it takes part in the usual run."""

    @property
    def lacks(self) -> str | None:
        """The program that is missing here."""
        return next((name for name in self.needs if shutil.which(name) is None), None)


def _python(name: str, script: str) -> Client:
    def run(folder: Path, place: Place) -> list[Check]:
        python = str(folder / "venv" / "bin" / "python")
        where = [str(place.kubeconfig), place.namespace, SHARED]
        return reported([python, str(HERE / "python" / script), *where])

    package = name.replace("_", "-")
    return Client(name, locked_version(package), (), python_packages(), run, is_quick=True)


def _own(language: str, argv: Sequence[str]) -> Run:
    """Run a program of ours with the kubeconfig, its namespace, the shared one, and an image."""

    def run(folder: Path, place: Place) -> list[Check]:
        program = [part.format(folder=folder) for part in argv]
        return reported([*program, str(place.kubeconfig), place.namespace, SHARED, IMAGE])

    return run


def _kubectl(_folder: Path, place: Place) -> list[Check]:
    return kubectl.kubectl_checks(place)


HELM_3 = go_package("helm.sh/helm/v3/cmd/helm", "v3.22.0")
HELM_4 = go_package("helm.sh/helm/v4/cmd/helm", "v4.3.1")
K9S = go_package("github.com/derailed/k9s", "v0.50.16")
STERN = go_package("github.com/stern/stern", "v1.33.0")
KUSTOMIZE = go_package("sigs.k8s.io/kustomize/kustomize/v5", "v5.8.1")

CLIENTS = (
    Client("kubectl", "", ("kubectl", "script"), nothing(), _kubectl, is_quick=True),
    _python("kubernetes", "official.py"),
    _python("kubernetes_asyncio", "asynchronous.py"),
    _python("kr8s", "kr8s_client.py"),
    Client("client-go", CLIENT_GO, ("go",), own_program("go"), _own("go", ["{folder}/client"])),
    Client(
        "@kubernetes/client-node", CLIENT_NODE, ("node", "npm"), own_program("node"),
        _own("node", ["node", "{folder}/source/client.mjs"]),
    ),
    Client(
        "fabric8", FABRIC8, ("mvn", "java"), own_program("java"),
        _own("java", ["java", "-cp", "{folder}/source/target/classes:{folder}/source/target/lib/*",
                      "Client"]),
    ),
    Client("Helm 3", HELM_3.fingerprint, ("go",), HELM_3, tools.helm_checks),
    Client("Helm 4", HELM_4.fingerprint, ("go",), HELM_4, tools.helm_checks),
    Client(
        "kustomize", KUSTOMIZE.fingerprint, ("go", "kubectl"), KUSTOMIZE, tools.kustomize_checks
    ),
    Client("stern", STERN.fingerprint, ("go",), STERN, tools.stern_checks),
    Client("k9s", K9S.fingerprint, ("go", "tmux"), K9S, k9s.k9s_checks),
)  # fmt: skip
