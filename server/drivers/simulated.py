"""The simulated driver: everything is real but the cluster.

A scripted process goes through the same runner, spool and recorder as kind. The label `simulate`
of a create chooses what happens: `ok`, `slow`, `fail-start`, `fail-late`, `hang`, or
`flood:<lines>:<lines per second>` (0: as fast as it goes).
"""

import contextlib
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio.to_thread

from pyk8s.wire.service import Check
from server.admission import GIB, Space
from server.drivers import pty_shell, simulated_images
from server.drivers.base import (
    KIND_NAME_PREFIX,
    Access,
    AttemptSpec,
    Command,
    DriverError,
    EvidenceFile,
    Explanation,
    Facts,
    Found,
    NodeImage,
    Shell,
    ShellWish,
    Usage,
    kind_name,
)
from server.templates import is_tuned

SCRIPT: Final = Path(__file__).with_name("simulated_script.py")
TERMINAL: Final = Path(__file__).with_name("simulated_terminal.py")
VERSION: Final = "v1.37.0"
IMAGE: Final = f"simulated/node:{VERSION}"
SPACE: Final = Space(cpus=None, memory_total=14 * GIB, memory_available=None)
"""Made up: room for twenty clusters of one node."""
NODE_BYTES: Final = 600 * 1024**2
"""Made up as well, near to what real nodes take."""
SCENARIOS: Final = re.compile(
    r"ok|slow|fail-start|fail-late|hang|flood:\d{1,8}:\d{1,7}(?:\.\d{1,3})?"
)

_KUBECONFIG = """\
# This cluster is simulated: there is nothing behind the address below.
apiVersion: v1
kind: Config
clusters:
- name: kind-{name}
  cluster:
    server: https://127.0.0.1:1
contexts:
- name: kind-{name}
  context:
    cluster: kind-{name}
    user: kind-{name}
current-context: kind-{name}
users:
- name: kind-{name}
  user:
    username: simulated
    password: simulated
"""

_NOT_ANSWERING = Explanation(
    code="not_answering",
    title="The cluster does not answer",
    cause="the simulated control plane is not there",
    fix="create the cluster again",
)


class SimulatedDriver:
    """Makes pieces, which are files in a directory, so that deleting and finding them is real."""

    name: Final = "simulated"

    def __init__(
        self, pieces: Path, *, speed: float = 1.0, instead_of: Sequence[Check] = ()
    ) -> None:
        """`instead_of`: the checks that say why there are no real clusters."""
        self._pieces = pieces
        self._speed = speed
        self._instead_of = instead_of

    async def facts(self) -> Facts:
        """Give what is made up."""
        said = "clusters are simulated: a script plays kind, and nothing answers"
        return Facts(
            node_images={VERSION: IMAGE},
            default_kubernetes_version=VERSION,
            space=SPACE,
            checks=[Check(name="driver", ok=True, detail=said), *self._instead_of],
        )

    async def space(self) -> Space:
        """Give what is made up."""
        return SPACE

    async def usage(self, attempt_id: UUID) -> Usage | None:
        """Make up what its nodes would take."""
        try:
            nodes = await self._nodes(attempt_id)
        except DriverError:
            return None
        return Usage(memory_bytes=NODE_BYTES * nodes, cpu_seconds=0.0)

    async def disk(self, attempt_id: UUID) -> int | None:
        """Make up what its nodes would have written."""
        used = await self.usage(attempt_id)
        return None if used is None else 2 * used.memory_bytes

    async def prepare(self, spec: AttemptSpec) -> Command:
        """Make the directory, and say how to start the script."""
        scenario = spec.labels.get("simulate", "ok")
        spec.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not SCENARIOS.fullmatch(scenario):
            raise DriverError(
                Explanation(
                    code="unknown_scenario",
                    title="The simulated driver does not know this scenario",
                    cause=f"the label `simulate` says {scenario!r}",
                    fix="use ok, slow, fail-start, fail-late, hang, or "
                    "flood:<lines>:<lines per second>",
                )
            )
        pieces = self._pieces / spec.kind_name
        await anyio.to_thread.run_sync(partial(_make_network, pieces))
        arguments = {
            "scenario": scenario,
            "name": spec.kind_name,
            "version": spec.kubernetes_version,
            "image": IMAGE,
            "pieces": str(pieces),
            "speed": str(self._speed),
            "workers": str(spec.workers),
            "cni": "no" if is_tuned(spec.template, spec.control_planes + spec.workers) else "yes",
        }
        options = [f"--{name}={value}" for name, value in arguments.items()]
        return Command(
            argv=[sys.executable, "-I", "-S", "-X", "utf8", str(SCRIPT), *options],
            env={},
            cwd=spec.directory,
        )

    async def finish(self, spec: AttemptSpec) -> Access:
        """Give a kubeconfig that says what it is."""
        if not self._is_there(spec.attempt_id):
            raise DriverError(_NOT_ANSWERING)
        return Access(
            kubeconfig=_KUBECONFIG.format(name=spec.kind_name),
            internal_url="https://127.0.0.1:1",
            proxy_identity=None,
        )

    async def collect(self, spec: AttemptSpec) -> AsyncIterator[EvidenceFile]:
        """Make up what real nodes would tell."""
        yield EvidenceFile("host.json", b'{"simulated": true}\n')
        for piece in sorted((self._pieces / spec.kind_name).glob("*.json")):
            said = f"kubelet[312]: the simulated {piece.stem} has nothing to tell\n"
            yield EvidenceFile(f"{spec.kind_name}-{piece.stem}/kubelet.log", said.encode())

    async def delete(self, attempt_id: UUID, directory: Path) -> None:
        """Remove the pieces and the directory."""

        def remove() -> None:
            shutil.rmtree(self._pieces / kind_name(attempt_id), ignore_errors=True)
            shutil.rmtree(directory, ignore_errors=True)

        await anyio.to_thread.run_sync(remove)

    async def list_attempts(self, known: Collection[UUID] = ()) -> Sequence[Found]:
        """List whose pieces there are."""
        del known  # the name of each directory tells
        return await anyio.to_thread.run_sync(_find, self._pieces)

    async def forget_access(self, directory: Path) -> None:
        """Nothing was written."""

    async def answers(self, attempt_id: UUID, kubeconfig: str) -> bool:
        """Tell whether there is a control plane."""
        del kubeconfig
        return self._is_there(attempt_id)

    def _is_there(self, attempt_id: UUID) -> bool:
        return (self._pieces / kind_name(attempt_id) / "control-plane.json").exists()

    async def keep_reachable(self, attempt_ids: Collection[UUID]) -> None:
        """Nothing is reached, and nothing can be lost."""

    async def pause(self, attempt_id: UUID) -> None:
        """Write it down."""
        await anyio.to_thread.run_sync(partial(self._set_states, attempt_id, "paused"))

    async def stop(self, attempt_id: UUID) -> None:
        """Write it down."""
        await anyio.to_thread.run_sync(partial(self._set_states, attempt_id, "exited"))

    async def wake(self, attempt_id: UUID, kubeconfig: str, *, with_nodes: bool = False) -> None:
        """Write it down."""
        del with_nodes  # they are as ready as it is
        if not await self.answers(attempt_id, kubeconfig):
            raise DriverError(_NOT_ANSWERING)
        await anyio.to_thread.run_sync(partial(self._set_states, attempt_id, "running"))

    def _set_states(self, attempt_id: UUID, state: str) -> None:
        for path in sorted((self._pieces / kind_name(attempt_id)).glob("*.json")):
            said = json.loads(path.read_text() or "{}")
            if "container" in said:
                path.write_text(json.dumps(said | {"state": state}))

    async def shell(self, attempt_id: UUID, wish: ShellWish) -> Shell:
        """Start the script that plays the shell."""
        if not self._is_there(attempt_id):
            raise DriverError(_NOT_ANSWERING)
        where = f"the pod {wish.pod.namespace}/{wish.pod.name}" if wish.pod else "the control plane"
        arguments = {"cluster": wish.cluster_name, "user": wish.username, "where": where}
        options = [f"--{name}={value}" for name, value in arguments.items()]
        return await pty_shell.start(
            [sys.executable, "-I", "-S", "-X", "utf8", str(TERMINAL), *options],
            {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            rows=wish.rows,
            cols=wish.cols,
        )

    async def load_images(self, attempt_id: UUID, archive: AsyncIterator[bytes]) -> Sequence[str]:
        """Read it, and remember the names."""
        nodes = await self._nodes(attempt_id)
        pieces = self._pieces / kind_name(attempt_id)
        return await simulated_images.load(pieces, archive, nodes=nodes)

    async def images(self, attempt_id: UUID) -> Sequence[NodeImage]:
        """Make up what nodes bring along, and add what was loaded."""
        nodes = await self._nodes(attempt_id)
        pieces = self._pieces / kind_name(attempt_id)
        return await anyio.to_thread.run_sync(partial(simulated_images.images, pieces, nodes=nodes))

    async def _nodes(self, attempt_id: UUID) -> int:
        for found in await self.list_attempts():
            if found.attempt_id == attempt_id and found.nodes:
                return len(found.nodes)
        raise DriverError(_NOT_ANSWERING)

    async def close(self) -> None:
        """Nothing is open."""


def _find(pieces: Path) -> list[Found]:
    found = []
    for path in sorted(pieces.glob(f"{KIND_NAME_PREFIX}*")):
        with contextlib.suppress(ValueError, OSError):  # not ours, or it goes at this moment
            files = sorted(path.iterdir())
            said = {file.stem: json.loads(file.read_text() or "{}") for file in files}
            found.append(
                Found(
                    attempt_id=UUID(path.name.removeprefix(KIND_NAME_PREFIX)),
                    pieces=[f"file {file.name}" for file in files],
                    nodes={
                        name: each.get("state", "running")
                        for name, each in said.items()
                        if "container" in each
                    },
                )
            )
    return found


def _make_network(pieces: Path) -> None:
    pieces.mkdir(mode=0o700, parents=True, exist_ok=True)
    (pieces / "network.json").write_text("{}")
