"""What a driver is: the adapter of one technology that can make a Kubernetes cluster."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from pyk8s.wire.service import Check
from server.admission import Space

KIND_NAME_PREFIX = "pyk8s-"


def kind_name(attempt_id: UUID) -> str:
    """Name what an attempt makes. Without dashes: a node's name must fit into 63 characters."""
    return f"{KIND_NAME_PREFIX}{attempt_id.hex}"


@dataclass(frozen=True, slots=True)
class AttemptSpec:
    """One try at creating a cluster: what is wanted, under which name, and where its files go."""

    attempt_id: UUID
    cluster_id: UUID
    directory: Path
    """Private to the attempt. Made by `prepare`, removed by `delete`."""
    kubernetes_version: str
    control_planes: int
    workers: int
    template: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind_name(self) -> str:
        """The name of this attempt's cluster, never used again."""
        return kind_name(self.attempt_id)


@dataclass(frozen=True, slots=True)
class Command:
    """A process to start. `env` is the whole environment."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a cluster as its administrator."""

    kubeconfig: str
    internal_url: str
    """Where this server itself reaches the API server."""
    proxy_identity: bytes | None
    """Certificate and key, as PEM, of the user that may speak for people, and do nothing else.
    None: there is no API server, the cluster is simulated."""


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """Something that may tell why a create failed. It is hostile, and may hold secrets."""

    name: str
    """A path inside the archive: `NODE/kubelet.log`."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """An attempt of which something exists."""

    attempt_id: UUID
    pieces: Sequence[str]
    """What was found, in words for a person: `container NAME`, `network NAME`."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """The nodes among them: name to state, `running` or `paused` when all is well."""
    volumes: Sequence[str] = ()
    """The volumes among them, by name."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a cluster takes, all its nodes together, measured now."""

    memory_bytes: int
    cpu_seconds: float
    """Since its nodes were started."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a driver can do on this machine."""

    node_images: Mapping[str, str]
    """Kubernetes version, such as `v1.36.4`, to node image."""
    default_kubernetes_version: str
    space: Space
    checks: Sequence[Check]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something failed, in plain words, and the way out."""

    code: str
    title: str
    cause: str
    fix: str
    docs: str | None = None


@dataclass(frozen=True, slots=True)
class PodTarget:
    """A container of a pod. The names are those of Kubernetes, checked."""

    namespace: str
    name: str
    container: str | None = None
    """Unset: the one that kubectl takes."""


@dataclass(frozen=True, slots=True)
class ShellWish:
    """A shell as somebody asks for it."""

    cluster_name: str
    """Shown in the prompt."""
    username: str
    """kubectl inside acts under this name."""
    rows: int
    cols: int
    pod: PodTarget | None = None
    """Unset: a shell in the control-plane node."""


@dataclass(frozen=True, slots=True)
class NodeImage:
    """An image in a cluster's nodes."""

    id: str
    """The digest of its configuration."""
    names: tuple[str, ...]
    size_bytes: int
    nodes: int = 1
    """In so many of them."""


class Shell(Protocol):
    """A shell behind a terminal, running. After its end `write` and `resize` do nothing."""

    async def read(self) -> bytes:
        """Wait for output and give it as it comes; b"" at the end.

        Whoever does not read holds the shell up.
        """

    async def write(self, data: bytes) -> None:
        """Type. Waits while the shell does not take it."""

    async def resize(self, rows: int, cols: int) -> None:
        """Tell it the size of its window, in characters."""

    async def exit_code(self) -> int | None:
        """Give how it ended, after `read` has given b"". None: that cannot be told."""

    async def close(self) -> None:
        """Hang up: whatever of it runs is ended. Never raises, and takes a few seconds at most."""


class DriverError(Exception):
    """The driver cannot do it, and says why. Carries the explanation for the user."""

    def __init__(self, explanation: Explanation) -> None:
        super().__init__(f"{explanation.title}: {explanation.cause}")
        self.explanation = explanation


class Driver(Protocol):
    """The adapter of one technology. It keeps no state: what exists is found by its labels."""

    @property
    def name(self) -> str:
        """How the driver is called on the wire and on every page."""

    async def facts(self) -> Facts:
        """Look at the machine: what is there, what is missing and how to mend it. Never raises."""

    async def space(self) -> Space:
        """Measure what the machine has for clusters.

        Raises:
            DriverError: the machine cannot be asked; no cluster can be made now either.
        """

    async def usage(self, attempt_id: UUID) -> Usage | None:
        """Measure what a cluster takes. None: that cannot be told. Never raises."""

    async def disk(self, attempt_id: UUID) -> int | None:
        """Measure the bytes that its nodes have on disk. None: that cannot be told. Never raises.

        It takes seconds where there are many clusters.
        """

    async def prepare(self, spec: AttemptSpec) -> Command:
        """Make all that must exist before the process starts, and say which process that is.

        Raises:
            DriverError: it cannot be made; what was made so far is left to `delete`.
        """

    async def finish(self, spec: AttemptSpec) -> Access:
        """After the process ended well: verify that the cluster answers, and harden it.

        Raises:
            DriverError: it does not answer in time.
        """

    def collect(self, spec: AttemptSpec) -> AsyncIterator[EvidenceFile]:
        """Give what tells why the attempt failed, before it is deleted. Never raises.

        The caller may stop at any file: each comes as soon as it is there, and none is large.
        """

    async def delete(self, attempt_id: UUID, directory: Path) -> None:
        """Remove everything of an attempt, however little or much of it there is.

        Raises:
            DriverError: something could not be removed; calling again is safe.
        """

    async def list_attempts(self, known: Collection[UUID] = ()) -> Sequence[Found]:
        """Find every attempt of this installation of which anything is left.

        `known`: attempts that are ours even if their pieces do not say so any more.

        Raises:
            DriverError: the machine cannot be asked.
        """

    async def forget_access(self, directory: Path) -> None:
        """Remove what the attempt's directory still has of what `finish` returned.

        To be called when that is stored. Twice is no error.
        """

    async def answers(self, attempt_id: UUID, kubeconfig: str) -> bool:
        """Ask whether the finished cluster's API server answers now. Never raises.

        `kubeconfig`: as `finish` returned it.
        """

    async def keep_reachable(self, attempt_ids: Collection[UUID]) -> None:
        """See to it that this server reaches the API servers of running clusters.

        A server may have lost the way since it made them: its own container was made anew.

        Raises:
            DriverError: the machine cannot be asked, or refuses.
        """

    async def pause(self, attempt_id: UUID) -> None:
        """Stop a finished cluster in the middle of whatever it does. Twice is no error.

        Raises:
            DriverError: it cannot be stopped.
        """

    async def stop(self, attempt_id: UUID) -> None:
        """End the nodes, which gives their memory back; `wake` starts them. Twice is no error.

        Raises:
            DriverError: they cannot be ended.
        """

    async def wake(self, attempt_id: UUID, kubeconfig: str, *, with_nodes: bool = False) -> None:
        """Let a cluster go on where it was stopped, and wait until its API server answers.

        One that runs is no error, and one whose nodes have ended meanwhile is started.
        `kubeconfig`: as `finish` returned it. `with_nodes`: wait until its nodes are Ready, too.

        Raises:
            DriverError: it cannot go on, or does not answer in time.
        """

    async def shell(self, attempt_id: UUID, wish: ShellWish) -> Shell:
        """Start a shell in a finished cluster.

        Raises:
            DriverError: it cannot be started.
        """

    async def load_images(self, attempt_id: UUID, archive: AsyncIterator[bytes]) -> Sequence[str]:
        """Take an archive, as `docker save` writes it, into every node of a running cluster.

        It is read as fast as they take it. Gives the names of its images.

        Raises:
            DriverError: a node cannot take it, and says why.
        """

    async def images(self, attempt_id: UUID) -> Sequence[NodeImage]:
        """List the images in the nodes of a running cluster.

        Raises:
            DriverError: they do not tell.
        """

    async def close(self) -> None:
        """Let go of connections."""
