"""Images in the nodes of kind: an archive goes into all of them at once, piece by piece.

The archive passes through Docker's own command line: its API keeps a program's input open as long
as its output, so that a program could never be told that the archive is over.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from subprocess import STDOUT
from typing import Any, Final
from uuid import uuid4

import anyio
import orjson
from anyio.abc import Process

from server.drivers.base import DriverError, Explanation, NodeImage
from server.drivers.docker import Container, DockerEngine
from server.drivers.kube_objects import texts
from server.telemetry import get_logger

LOAD: Final = r"""
snapshotter=$(sed -n 's/^ *snapshotter *= *"\(.*\)"/\1/p' /etc/containerd/config.toml | head -n 1)
local=
ctr images import --help | grep -q -e ' --local' && local=--local
exec ctr --namespace=k8s.io images import $local --digests \
  --snapshotter="${snapshotter:-overlayfs}" -
"""
"""`--local`: the newer way of containerd 2 does not say which images it has found. `--digests`:
images without a name get one."""

LIST: Final = ("crictl", "images", "--output", "json")
LIST_BYTES: Final = 4 * 1024 * 1024
SAID_BYTES: Final = 64 * 1024
END: Final = r"""
for each in $(grep -lsz "^PYK8S_IMPORT=$1\$" /proc/[0-9]*/environ); do
  each=${each#/proc/}
  kill -KILL "${each%/environ}"
done
"""
"""Ends an import. Docker lets it live on when nobody listens to it any more."""

SILENT_SECONDS: Final = 120.0
"""So long a node may take to swallow a piece, or to unpack at the end."""
log = get_logger(__name__)

_UNPACKED: Final = re.compile(r"^unpacking (\S+) \(sha256:[0-9a-f]+\)", re.MULTILINE)


async def load(
    docker: DockerEngine, cluster: str, archive: AsyncIterator[bytes], env: Mapping[str, str]
) -> Sequence[str]:
    """Take an archive into every node of a cluster; give the names of its images.

    Raises:
        DriverError: a node cannot take it, and says why.
    """
    nodes = await docker.nodes(cluster)
    if not nodes:
        raise _refused("the cluster has no nodes any more")
    broken: Exception | None = None
    async with contextlib.AsyncExitStack() as processes:
        feeds = [await processes.enter_async_context(_feeding(docker, node, env)) for node in nodes]
        async with anyio.create_task_group() as tasks:
            for feed in feeds:
                tasks.start_soon(feed.listen)
            try:
                await _pass_on(archive, feeds)
            except Exception as error:  # the archive's own: it goes on to the caller as it is
                broken = error
                tasks.cancel_scope.cancel()
            for feed in feeds:
                tasks.start_soon(feed.finish)
    if broken is not None:
        raise broken
    for feed in feeds:
        feed.check()
    return names_in(feeds[0].said)


@contextlib.asynccontextmanager
async def _feeding(
    docker: DockerEngine, node: Container, env: Mapping[str, str]
) -> AsyncIterator["_Feed"]:
    """Start what takes the archive in a node. What has not ended well is ended in the node too."""
    token = uuid4().hex
    argv = ["docker", "exec", "-i", "--env", f"PYK8S_IMPORT={token}", node.name, "sh", "-c", LOAD]
    async with await anyio.open_process(argv, env=env, stderr=STDOUT) as process:
        try:
            yield _Feed(node, process)
        finally:
            if process.returncode is None:
                process.kill()
            if process.returncode != 0:
                with anyio.CancelScope(shield=True):
                    await _end(docker, node, token)


async def _end(docker: DockerEngine, node: Container, token: str) -> None:
    """End an import in a node. One that cannot be ended is told in the log."""
    try:
        await docker.execute(node.id, ["sh", "-c", END, "sh", token], {})
    except DriverError as error:
        log.warning("import_not_ended", node=node.name, reason=error.explanation.cause)


async def _pass_on(archive: AsyncIterator[bytes], feeds: Sequence["_Feed"]) -> None:
    async for piece in archive:
        async with anyio.create_task_group() as sending:
            for feed in feeds:
                sending.start_soon(feed.send, piece)
        if not any(feed.takes_more for feed in feeds):
            return


def names_in(said: str) -> Sequence[str]:
    """Read which images containerd has unpacked. Those that `--digests` made up are left out."""
    return [name for name in _UNPACKED.findall(said) if "@sha256:" not in name]


class _Feed:
    """The archive on its way into one node."""

    def __init__(self, node: Container, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        self.takes_more = True
        self._failure: str | None = None
        self._name = node.name.removeprefix(f"{node.cluster}-")
        self._process = process
        self._input, self._output = process.stdin, process.stdout
        self._said = bytearray()

    @property
    def said(self) -> str:
        """The end of what the node's containerd has said."""
        return self._said.decode("utf-8", "replace")

    async def send(self, piece: bytes) -> None:
        """Pass a piece on; one that has what it needs, or has failed, takes no more."""
        if not self.takes_more:
            return
        try:
            with anyio.fail_after(SILENT_SECONDS):
                await self._input.send(piece)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.takes_more = False
        except TimeoutError:
            self._fail(f"takes nothing for {SILENT_SECONDS:g} s")

    async def listen(self) -> None:
        """Keep the end of what is said."""
        async for said in self._output:
            self._said += said
            del self._said[:-SAID_BYTES]

    async def finish(self) -> None:
        """Say that there is no more, and wait until it is unpacked."""
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._input.aclose()
        with anyio.move_on_after(SILENT_SECONDS) as patience:
            await self._process.wait()
        if patience.cancelled_caught:
            self._fail(f"has not unpacked it after {SILENT_SECONDS:g} s")

    def _fail(self, cause: str) -> None:
        self.takes_more = False
        self._failure = f"{self._name} {cause}"
        if self._process.returncode is None:
            self._process.kill()

    def check(self) -> None:
        """See whether all went well.

        Raises:
            DriverError: it did not.
        """
        if self._failure is not None:
            raise _refused(self._failure)
        if self._process.returncode == 0:
            return
        lines = [line for line in self.said.splitlines() if line.strip()]
        last = lines[-1].removeprefix("ctr: ") if lines else f"exit {self._process.returncode}"
        raise _refused(f"{self._name} says: {last}")


def _refused(cause: str) -> DriverError:
    fix = "send what `docker save IMAGE` writes, for the processor of the nodes"
    if "no space left" in cause:
        fix = "free disk space on the host: docker system df tells what takes it"
    return DriverError(
        Explanation(
            code="images_not_loaded", title="The images cannot be loaded", cause=cause, fix=fix
        )
    )


async def images(docker: DockerEngine, cluster: str) -> Sequence[NodeImage]:
    """List what the nodes of a cluster have.

    Raises:
        DriverError: they do not tell.
    """
    nodes = [node for node in await docker.nodes(cluster) if node.state == "running"]
    told: dict[str, bytes] = {}

    async def ask(node: Container) -> None:
        told[node.name] = await docker.output(node, LIST, limit=LIST_BYTES)

    async with anyio.create_task_group() as tasks:
        for node in nodes:
            tasks.start_soon(partial(ask, node))
    return together([images_of(said) for said in told.values()])


def images_of(said: bytes) -> Sequence[NodeImage]:
    """Read what `crictl images --output json` prints.

    Raises:
        DriverError: it is something else.
    """
    try:
        document: Any = orjson.loads(said)
        return [
            NodeImage(each["id"], tuple(texts(each, "repoTags")), _size(each["size"]))
            for each in document["images"]
            if isinstance(each["id"], str)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise _refused("a node does not tell its images") from error


def _size(said: Any) -> int:
    """Return a size in bytes that JavaScript can hold as well."""
    return max(0, min(int(said), 2**53 - 1))


def together(of_nodes: Sequence[Sequence[NodeImage]]) -> Sequence[NodeImage]:
    """Make one list of those of several nodes, and count in how many each is."""
    found: dict[str, NodeImage] = {}
    for each in (image for images in of_nodes for image in images):
        before = found.get(each.id)
        names = {*each.names, *(before.names if before else ())}
        count = each.nodes + (before.nodes if before else 0)
        found[each.id] = NodeImage(each.id, tuple(sorted(names)), each.size_bytes, count)
    return list(found.values())
