"""Ten minutes of hostile load by a stranger and one tenant, on real clusters.

The server's memory stays where it was, it answers others, and somebody else gets a cluster.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat as uuids

from pyk8s.wire.accounts import Scope
from server.drivers.base import kind_name
from server.secrets import BEARER_PREFIX, hash_secret, new_secret
from server.store import accounts
from server.store.database import Database
from tests.drivers.conftest import why_no_kind
from tests.faults.crowd import quantile_of
from tests.faults.hostile_load import TERMINALS, HostileConfig, HostileReport
from tests.faults.real import RealSite, real_site
from tests.faults.simulated_site import people
from tests.integration.by_hand import resident_bytes
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.timeout(1500)]

MIB: Final = 2**20
ATTACK_SECONDS: Final = 600.0
CALM_SECONDS: Final = 30.0
PROBE_SECONDS: Final = 0.1
MAX_GROWTH_BYTES: Final = 50 * MIB
MAX_P99_SECONDS: Final = 0.1
NOISE: Final = 2
"""So many times slower an answer may be than with as many busy programs on the same processors that
never touch the server: that is the scheduler's share."""
CREATE_SECONDS: Final = 400
PYTHON_IMAGE: Final = "python:3.13-slim"
REPOSITORY: Final = Path(__file__).parents[2]

ENDLESS_SERVER: Final = """
import socket, ssl, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/pki/apiserver.crt", "/pki/apiserver.key")
listener = socket.create_server(("0.0.0.0", 6443), backlog=128)
def serve(raw):
    try:
        with context.wrap_socket(raw, server_side=True) as peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n\\r\\n")
            while True:
                peer.sendall(b" " * 65536)
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def token_of(database: Database, user_id: Any, scopes: list[Scope]) -> str:
    secret = new_secret(BEARER_PREFIX)
    async with database.transaction() as session:
        await accounts.add_token(
            session,
            token_id=uuids.uuid7(),
            user_id=user_id,
            name="hostile",
            secret_hash=hash_secret(secret),
            scopes=scopes,
            lifetime=None,
        )
    return secret


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Who runs on which processors. None: everybody on all, as the scheduler decides."""

    server: int | None = None
    attackers: int | None = None

    @property
    def attackers_prefix(self) -> tuple[str, ...]:
        """What an attacker's command line begins with."""
        return () if self.attackers is None else ("taskset", "--cpu-list", str(self.attackers))

    @property
    def attackers_option(self) -> tuple[str, ...]:
        """What keeps a container of theirs to their processor."""
        return () if self.attackers is None else ("--cpuset-cpus", str(self.attackers))

    def put_server(self, pid: int) -> None:
        """Keep the server, and this process which asks it, to their processor."""
        if self.server is not None:
            for each in (pid, 0):
                os.sched_setaffinity(each, {self.server})

    async def put_nodes(self, site: RealSite) -> None:
        """Keep the nodes of all clusters, as they come, to the attackers' processor."""
        put: set[str] = set()
        while self.attackers is not None:
            for row in await site.database.fetch("SELECT id FROM attempts"):
                for name in await asyncio.to_thread(nodes_of, row["id"]):
                    if name not in put:
                        command = ("update", "--cpuset-cpus", str(self.attackers), name)
                        await asyncio.to_thread(docker, *command)
                        put.add(name)
            await asyncio.sleep(0.5)


SHARED: Final = Place()
APART: Final = Place(server=0, attackers=1)
"""The nearest that one machine comes to attackers on another."""


@contextlib.contextmanager
def endless_api_server(node: str, path: Path, place: Place) -> Iterator[None]:
    """Replace the API server in a node by one whose answers never end."""
    for name in ("apiserver.crt", "apiserver.key"):
        (path / name).write_text(docker("exec", node, "cat", f"/etc/kubernetes/pki/{name}"))
    (path / "server.py").write_text(ENDLESS_SERVER)
    # The node's own programs would read answers without an end as well, gigabytes in a minute.
    docker("exec", node, "systemctl", "stop", "kubelet")
    docker("exec", node, "sh", "-c", "crictl ps -q | xargs -r crictl stop --timeout 1")
    container = docker(
        "run", "--detach", *place.attackers_option,
        "--network", f"container:{node}", "--volume", f"{path}:/pki:ro",
        PYTHON_IMAGE, "python", "/pki/server.py",
    )  # fmt: skip
    try:
        yield
    finally:
        docker("rm", "--force", "--volumes", container)


@contextlib.asynccontextmanager
async def attacked(
    config: HostileConfig, report: HostileReport, place: Place
) -> AsyncIterator[None]:
    """Attack while the context lasts. `report`: what is filled with what was carried out."""
    attacker = await asyncio.create_subprocess_exec(
        *place.attackers_prefix,
        sys.executable, "-m", "tests.faults.hostile_load",
        json.dumps(dataclasses.asdict(config)),
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield
        assert attacker.returncode is None, "the attacker has ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            attacker.terminate()
        out, _ = await attacker.communicate()
        for name, value in json.loads(out or "{}").items():
            setattr(report, name, value)


@contextlib.asynccontextmanager
async def busy_loops(count: int, place: Place) -> AsyncIterator[None]:
    """Use up processors by so many programs that never touch the server."""
    loops = [
        await asyncio.create_subprocess_exec(
            *place.attackers_prefix, sys.executable, "-c", "while True: pass"
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            await each.wait()


def runnable() -> int:
    """Return how many threads of this machine run or wait for a processor."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])


@dataclasses.dataclass
class Watch:
    """What `/healthz` took, and what the server's memory was, at each look."""

    seconds: list[float] = dataclasses.field(default_factory=list)
    resident: list[int] = dataclasses.field(default_factory=list)
    runnable: list[int] = dataclasses.field(default_factory=list)
    """How many threads of the machine ran or waited for a processor."""
    failures: list[str] = dataclasses.field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Return what a report shows."""
        if not self.seconds:
            return {}
        return {
            "resident_peak_mib": max(self.resident) // MIB,
            "runnable": round(statistics.mean(self.runnable), 1),
        } | {
            f"healthz_p{share * 100:.0f}": round(quantile_of(self.seconds, share), 4)
            for share in (0.5, 0.9, 0.99, 1.0)
        }

    async def look(self, url: str, pid: int, seconds: float) -> None:
        """Look for so long."""
        until = time.monotonic() + seconds
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            while time.monotonic() < until:
                began = time.monotonic()
                try:
                    answer = await http.get(f"{url}/healthz")
                    if answer.status_code != 200:
                        self.failures.append(str(answer.status_code))
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                self.seconds.append(time.monotonic() - began)
                self.resident.append(resident_bytes(pid))
                self.runnable.append(runnable())
                await asyncio.sleep(PROBE_SECONDS)


def nodes_of(attempt_id: UUID) -> list[str]:
    """Return the names of the containers that are the nodes of an attempt."""
    label = f"label=io.x-k8s.kind.cluster={kind_name(attempt_id)}"
    return docker("ps", "--format", "{{.Names}}", "--filter", label).splitlines()


async def node_of(site: RealSite, purpose: str) -> str:
    """Return the name of the container that is the only node of a cluster."""
    [attempt] = await site.attempts(purpose)
    [name] = nodes_of(attempt["id"])
    return name


async def targets(site: RealSite, token: str, *, proxy_port: int, apps_port: int) -> HostileConfig:
    """Create the clusters that are attacked, and a credential for one of them."""
    for purpose in ("terminals", "endless"):
        await site.create(purpose)
    for purpose in ("terminals", "endless"):
        await site.phase(purpose, "ready", 300)
    url = f"{site.server.url}/api/v1/clusters/{site.clusters['endless']}/credentials"
    credential = await site.http.post(url, json={})
    assert credential.status_code == 201, credential.text
    return HostileConfig(
        url=site.server.url,
        token=token,
        terminals_cluster=site.clusters["terminals"],
        endless_cluster=site.clusters["endless"],
        proxy_url=f"https://127.0.0.1:{proxy_port}",
        apps_url=f"http://127.0.0.1:{apps_port}",
        proxy_token=credential.json()["token"],
    )


@pytest.fixture
def processors() -> Iterator[None]:
    """Give this process back the processors that it had."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("processors")
@pytest.mark.parametrize("place", [SHARED, APART], ids=["shared", "apart"])
async def test_hostile_load_takes_the_server_from_nobody(
    database_url: str, tmp_path: Path, record_property: Any, place: Place
) -> None:
    if (reason := why_no_kind()) is not None:
        pytest.skip(reason)
    if place is APART and os.sched_getaffinity(0) < {place.server, place.attackers}:
        pytest.skip("one processor is not enough to keep attackers and server apart")
    database = Database(database_url, pool_size=2)
    _, tenant, other = await people(database, 3)
    scopes = [Scope.CLUSTERS_READ, Scope.CLUSTERS_WRITE, Scope.ACCESS]
    tenant_token = await token_of(database, tenant.user.id, scopes)
    other_token = await token_of(database, other.user.id, scopes)
    await database.close()
    proxy_port, apps_port = free_port(), free_port()
    async with real_site(
        database_url,
        PYK8S_PROXY_PORT=str(proxy_port),
        PYK8S_APPS_PORT=str(apps_port),
        PYK8S_TERMINALS_PER_USER=str(TERMINALS),
        PYK8S_TERMINALS_PER_CLUSTER=str(TERMINALS),
        PYK8S_STREAMS_PER_USER="200",
        PYK8S_IDLE_PAUSE_SECONDS="0",
    ) as site:
        await site.server.start()
        site.http.headers["Authorization"] = f"Bearer {tenant_token}"
        config = await targets(site, tenant_token, proxy_port=proxy_port, apps_port=apps_port)
        place.put_server(site.server.pid)
        calm, storm, control = Watch(), Watch(), Watch()
        looked_at = (site.server.url, site.server.pid)
        create_seconds: float | None = None
        report = HostileReport()
        pinning = asyncio.create_task(place.put_nodes(site))
        try:
            with endless_api_server(await node_of(site, "endless"), tmp_path, place):
                await calm.look(*looked_at, CALM_SECONDS)
                site.http.headers["Authorization"] = f"Bearer {other_token}"
                async with attacked(config, report, place), asyncio.TaskGroup() as tasks:
                    tasks.create_task(storm.look(*looked_at, ATTACK_SECONDS))
                    await asyncio.sleep(20)
                    began = time.monotonic()
                    await site.create("honest")
                    await site.phase("honest", "ready", CREATE_SECONDS)
                    create_seconds = time.monotonic() - began
            loops = max(1, round(statistics.mean(storm.runnable)))
            async with busy_loops(loops, place):
                await control.look(*looked_at, CALM_SECONDS)
        finally:
            pinning.cancel()
            record_property("attacks", json.dumps(dataclasses.asdict(report)))
            record_property("create_seconds", create_seconds)
            for name, watch in (("calm", calm), ("storm", storm), ("control", control)):
                for what, value in watch.summary().items():
                    record_property(f"{what}_{name}", value)
        assert storm.failures == []
        carried_out = {name for name, count in report.done.items() if count}
        assert carried_out >= {
            "trailers_of_api",
            "trailers_of_apps",
            "slow_body",
            "archive",
            "endless",
            "endless_proxy",
        }
        assert report.registrations_answered > 0
        assert report.terminals_open_at_most == TERMINALS
        assert report.terminal_bytes > MIB  # some of them flood
        assert max(storm.resident) - max(calm.resident) < MAX_GROWTH_BYTES
        most_seconds = max(MAX_P99_SECONDS, NOISE * quantile_of(control.seconds, 0.99))
        assert quantile_of(storm.seconds, 0.99) < most_seconds
