"""Hostile load on one server, in a process of its own: a stranger's and one tenant's.

`python -m tests.faults.hostile_load CONFIG` runs until SIGTERM, then prints what it did
(`HostileReport`). CONFIG is `HostileConfig` as JSON. It goes to loopback only.
"""

import asyncio
import contextlib
import dataclasses
import gzip
import io
import json
import signal
import sys
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

ATTACKS: Final = (
    "trailers",
    "slow_body",
    "registers",
    "slow_upload",
    "archive",
    "endless",
    "endless_proxy",
    "terminal",
)
"""All there are. `HostileConfig.attacks` selects some of them, to find what each one costs."""
TRAILER: Final = b"aa:b\r\n" * 2000
SLOW_BODIES: Final = 50
SLOW_UPLOADS: Final = 4
REGISTERS: Final = 500
REGISTER_CONNECTIONS: Final = 100
TERMINALS: Final = 110
FLOODING_TERMINALS: Final = 10
MIB: Final = 2**20
GIB: Final = 2**30
PATIENCE_SECONDS: Final = 40
PAUSE_SECONDS: Final = 0.2
"""Between two rounds of an attack that is answered at once, so that attacks share the machine."""


@dataclasses.dataclass(frozen=True, slots=True)
class HostileConfig:
    """Where the server is, and what the tenant has."""

    url: str
    token: str
    terminals_cluster: str
    """The tenant's cluster whose terminals are opened."""
    endless_cluster: str
    """The tenant's cluster whose API server answers without an end."""
    proxy_url: str | None = None
    apps_url: str | None = None
    proxy_token: str | None = None
    attacks: Sequence[str] = ATTACKS


@dataclasses.dataclass(slots=True)
class HostileReport:
    """What was carried out."""

    done: dict[str, int] = dataclasses.field(default_factory=dict)
    """How often each attack was carried out to its end, whatever the server answered. A terminal
    that stays open is not counted here."""
    registrations_answered: int = 0
    terminals_opened: int = 0
    terminals_open: int = 0
    terminals_open_at_most: int = 0
    terminal_bytes: int = 0


class HostileLoad:
    """The attacks of a configuration side by side, counted."""

    def __init__(self, config: HostileConfig) -> None:
        self._config = config
        self.report = HostileReport()

    async def run(self) -> None:
        """Attack until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, attack in self._attacks():
                if name.partition("_of_")[0] in self._config.attacks:
                    tasks.create_task(self._repeat(name, attack))

    def _attacks(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        config = self._config
        yield "trailers_of_api", partial(trailers, config.url)
        if config.apps_url is not None:
            yield "trailers_of_apps", partial(trailers, config.apps_url)
        for _ in range(SLOW_BODIES):
            yield "slow_body", partial(slow_body, config.url)
        yield "registers", partial(registers, config.url, self._note_registration)
        for _ in range(SLOW_UPLOADS):
            yield "slow_upload", self._slow_upload
        if "archive" in config.attacks:
            for make in (sparse_archive, blank_archive):
                yield (
                    "archive",
                    partial(self._upload, asyncio.ensure_future(asyncio.to_thread(make))),
                )
        for call in ("kubeconfig?endpoint=direct", "resources", "usage", "images"):
            path = f"/api/v1/clusters/{config.endless_cluster}/{call}"
            yield "endless", partial(self._get, path)
        if config.proxy_url is not None and config.proxy_token is not None:
            yield "endless_proxy", self._get_through_proxy
        for number in range(TERMINALS):
            is_flooding = number < FLOODING_TERMINALS
            name = "terminal_of_flood" if is_flooding else "terminal_of_idle"
            yield name, partial(self._terminal, b"yes\n" if is_flooding else b"")

    async def _repeat(self, name: str, attack: Callable[[], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(OSError, httpx.HTTPError, WebSocketException, TimeoutError):
                await attack()
            self.report.done[name] = self.report.done.get(name, 0) + 1
            await asyncio.sleep(PAUSE_SECONDS)

    def _note_registration(self) -> None:
        self.report.registrations_answered += 1

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._config.token}"}

    async def _get(self, path: str) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as http:
            await http.get(self._config.url + path, headers=self._headers)

    async def _get_through_proxy(self) -> None:
        config = self._config
        url = f"{config.proxy_url}/clusters/{config.endless_cluster}/version"
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS, verify=False) as http,
            http.stream("GET", url, headers={"Authorization": f"Bearer {config.proxy_token}"}) as r,
        ):
            async for _ in r.aiter_raw():
                pass

    async def _upload(self, made: Awaitable[bytes]) -> None:
        archive = await made
        url = f"{self._config.url}/api/v1/clusters/{self._config.terminals_cluster}/images"
        headers = self._headers | {"Content-Type": "application/x-tar"}
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as http:
            await http.post(url, headers=headers, content=archive)

    async def _slow_upload(self) -> None:
        async def drip() -> AsyncIterator[bytes]:
            yield tar_header("manifest.json", 1000)
            while True:
                await asyncio.sleep(5)
                yield b" "

        url = f"{self._config.url}/api/v1/clusters/{self._config.terminals_cluster}/images"
        headers = self._headers | {"Content-Type": "application/x-tar"}
        async with httpx.AsyncClient(trust_env=False, timeout=None) as http:
            await http.post(url, headers=headers, content=drip())

    async def _terminal(self, typed: bytes) -> None:
        url = self._config.url.replace("http", "ws", 1)
        async with connect(
            f"{url}/api/v1/clusters/{self._config.terminals_cluster}/terminal",
            subprotocols=[Subprotocol("pyk8s.terminal.v1")],
            additional_headers=self._headers,
            open_timeout=PATIENCE_SECONDS,
            proxy=None,
        ) as socket:
            with self._open_terminal():
                if typed:
                    await asyncio.sleep(1)
                    await socket.send(typed)
                async for message in socket:
                    self.report.terminal_bytes += len(message)
        await asyncio.sleep(1)

    @contextlib.contextmanager
    def _open_terminal(self) -> Iterator[None]:
        report = self.report
        report.terminals_opened += 1
        report.terminals_open += 1
        report.terminals_open_at_most = max(report.terminals_open_at_most, report.terminals_open)
        try:
            yield
        finally:
            report.terminals_open -= 1


async def trailers(url: str) -> None:
    """Send trailers without an end behind a small chunked body."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(
            b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        )
        while not reader.at_eof():
            writer.write(TRAILER)
            await writer.drain()
            await asyncio.sleep(0)
    finally:
        writer.close()


async def slow_body(url: str) -> None:
    """Send a body byte by byte, one in a second."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(
            b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
        )
        while not reader.at_eof():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(1)
    finally:
        writer.close()


async def registers(url: str, answered: Callable[[], None]) -> None:
    """Register the same taken name hundreds of times, a hundred at once."""
    limits = httpx.Limits(max_connections=REGISTER_CONNECTIONS)
    body = {"username": "person-0", "password": "correct horse battery"}

    async def one(http: httpx.AsyncClient) -> None:
        with contextlib.suppress(httpx.HTTPError):
            await http.post(f"{url}/api/v1/auth/register", json=body)
            answered()

    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS, limits=limits) as http:
        await asyncio.gather(*(one(http) for _ in range(REGISTERS)))
    await asyncio.sleep(5)


def tar_header(name: str, size: int, pax: dict[str, str] | None = None) -> bytes:
    """Return the header of one file of a tar archive, without the file."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.pax_headers = pax or {}
    return entry.tobuf(tarfile.PAX_FORMAT)


def sparse_archive() -> bytes:
    """Return an archive of a few KiB whose manifest claims to be 1 GiB, all of it a hole."""
    pax = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.name": "manifest.json",
        "GNU.sparse.size": str(GIB),
        "GNU.sparse.numblocks": "1",
        "GNU.sparse.map": f"{GIB},0",
    }
    return tar_header("manifest.json", 0, pax) + bytes(1024)


def blank_archive() -> bytes:
    """Return a gzipped archive of about 1 MiB whose manifest is 1 GiB of blanks."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as packed:
        packed.write(tar_header("manifest.json", GIB))
        blanks = b" " * MIB
        for _ in range(GIB // MIB):
            packed.write(blanks)
        packed.write(bytes(1024))
    return out.getvalue()


async def attack(config: HostileConfig) -> HostileReport:
    """Attack until SIGTERM; return what was carried out."""
    load = HostileLoad(config)
    running = asyncio.create_task(load.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return load.report


if __name__ == "__main__":
    given: dict[str, Any] = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(dataclasses.asdict(asyncio.run(attack(HostileConfig(**given))))))
