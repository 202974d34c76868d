"""The stage: a real server as a process, whose kind is scripted and whose Docker is a stand-in."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import asyncpg

from tests.faults.plays import Action
from tests.faults.site import Site, eventually
from tests.faults.stand_ins import (
    DockerStandIn,
    KubernetesStandIn,
    Points,
    UnixSocket,
    attempt_of,
    on_tls,
    write_authority,
)
from tests.ports import free_port

SCRIPT: Final = Path(__file__).with_name("scripted_kind.py")
CLAIMS: Final = 0x70796B3A
"""What a provisioner locks when it claims (`server.store.claims`)."""

_KUBECONFIG = """\
# The cluster is a stand-in: `tests/faults` answers for it.
clusters:
- cluster: {{certificate-authority-data: {authority}, server: "https://127.0.0.1:{port}/{{name}}"}}
users:
- user: {{client-certificate-data: {both}, client-key-data: {both}}}
"""


class Stage(Site):
    """Everything that a test of faults needs. Made by `staged`."""

    def __init__(self, path: Path, database: asyncpg.Connection, environment: dict[str, str]):
        super().__init__(path, database, environment)
        self.points = Points()
        self.docker = DockerStandIn(path, self.points)
        self.docker_socket = UnixSocket(self.docker.app, path / "docker.sock")

    # --- asking the server ---

    async def ask(
        self,
        purpose: str,
        *,
        create: Sequence[Action] = (),
        delete: Sequence[Action] = (),
        stop_at: str | None = None,
        workers: int = 0,
    ) -> str:
        """Ask for a cluster whose kind plays so; its stand-ins wait at the point `stop_at`."""
        cluster_id = await self.create(purpose, workers=workers)
        if stop_at is not None:
            self.points.wanted.add((cluster_id, stop_at))
        self.script(cluster_id, "delete", delete)
        self.script(cluster_id, "create", create)
        return cluster_id

    def script(self, cluster_id: str, verb: str, actions: Sequence[Action]) -> None:
        path = self.path / "scenarios" / f"{cluster_id}.{verb}"
        path.with_suffix(".new").write_text(json.dumps(list(actions)))
        path.with_suffix(".new").replace(path)

    # --- holding the server at a point ---

    @contextlib.asynccontextmanager
    async def no_claims(self) -> AsyncIterator[None]:
        """Let no provisioner take a job."""
        async with self.database.transaction():
            await self.database.execute("SELECT pg_advisory_xact_lock($1)", CLAIMS)
            yield

    @contextlib.asynccontextmanager
    async def frozen_rows(self, *cluster_ids: str) -> AsyncIterator[None]:
        """Let nobody write anything about these clusters; at most 10 s, then writers give up."""
        connection = await asyncpg.connect(self.environment["PYK8S_DATABASE_URL"])
        try:
            async with connection.transaction():
                await connection.execute(
                    "SELECT 1 FROM clusters WHERE id = ANY($1::uuid[]) FOR UPDATE",
                    list(cluster_ids),
                )
                yield
        finally:
            await connection.close(timeout=5)

    async def blocked_writers(self) -> int:
        """Count the transactions of the server that wait for a lock."""
        return int(
            await self.database.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND wait_event_type = 'Lock'"
            )
        )

    @contextlib.asynccontextmanager
    async def docker_away(self, how: Literal["gone", "hangs"]) -> AsyncIterator[None]:
        """Let nobody listen where Docker was, or let it take every question and answer none."""
        if how == "hangs":
            with self.docker.silent():
                yield
            return
        await self.docker_socket.close()
        try:
            yield
        finally:
            await self.docker_socket.open()

    def is_at(self, cluster_id: str, point: str) -> bool:
        """Tell whether a play or a stand-in has come to this point."""
        marker = self.path / "at" / f"{cluster_id}.{point}"
        return marker.exists() or (cluster_id, point) in self.points.reached

    def let_go(self, *cluster_ids: str) -> None:
        """End every pause, now and later; or those of some clusters."""
        for gate in [f"go.{each}" for each in cluster_ids] or ["go"]:
            (self.path / gate).touch()
        for each in cluster_ids or (None,):
            self.points.go(each)

    # --- looking ---

    def has_ended(self, cluster_id: str) -> bool:
        """Tell whether the runner of a cluster has noted the end of its kind."""
        names = [p.name for p in (self.path / "names").iterdir() if p.read_text() == cluster_id]
        ids = [str(UUID(name.removeprefix("pyk8s-"))) for name in names]
        spools = [self.path / "data" / "attempts" / each / "spool" for each in ids]
        return any(b"\nx" in spool.read_bytes() for spool in spools if spool.exists())

    async def check_lines(self) -> int:
        """Compare the log of every try with what its kind wrote; give how many lines there are.

        Of a try that did not come to its end the log is the beginning of what was written.
        """
        compared = 0
        for cluster_id in self.clusters.values():
            events = await self.database.fetch(
                "SELECT seq, type, data FROM event_log WHERE cluster_id = $1 ORDER BY seq",
                cluster_id,
            )
            assert [row["seq"] for row in events] == list(range(1, len(events) + 1))
            tries = await self.database.fetch(
                "SELECT id, outcome FROM attempts WHERE cluster_id = $1 ORDER BY number", cluster_id
            )
            said: list[list[str]] = []
            for row in events:
                data = json.loads(row["data"])
                if row["type"] == "attempt_started":
                    said.append([])
                elif row["type"] == "log_line" and data["stream"] in {"stdout", "stderr"}:
                    said[-1].append(f"{'o' if data['stream'] == 'stdout' else 'e'} {data['text']}")
            assert len(said) == len(tries)
            for lines, attempt in zip(said, tries, strict=True):
                written = self._written(f"pyk8s-{attempt['id'].hex}")
                for stream in "oe":
                    have = [line for line in lines if line[0] == stream]
                    want = [line for line in written if line[0] == stream]
                    if attempt["outcome"] in {"lost", "cancelled"}:
                        want = want[: len(have)]
                    assert have == want, (attempt["outcome"], _differ(have, want))
                    compared += len(have)
        return compared

    def _written(self, name: str) -> list[str]:
        path = self.path / "written" / name
        return path.read_text().splitlines() if path.exists() else []

    async def check_nothing_left(self) -> None:
        """See that what exists is that of ready clusters, to the last file and process."""
        rows = await self.database.fetch(
            "SELECT a.id FROM attempts a JOIN clusters c ON c.id = a.cluster_id "
            "WHERE c.phase = 'ready' AND a.outcome = 'succeeded'"
        )
        living = {f"pyk8s-{row['id'].hex}" for row in rows}
        directories = {str(row["id"]) for row in rows}

        async def is_clean() -> bool:
            return not self._leftovers(living, directories)

        with contextlib.suppress(TimeoutError):  # what ends, ends soon
            await eventually(is_clean, 15)
        assert self._leftovers(living, directories) == []
        open_rows = await self.database.fetchval(
            "SELECT count(*) FROM attempts WHERE outcome IS NULL OR "
            "(outcome <> 'succeeded' AND removed_at IS NULL)"
        )
        assert open_rows == 0

    def _leftovers(self, living: set[str], directories: set[str]) -> list[str]:
        left = [
            f"network {path.stem}"
            for path in self.docker.networks.glob("*.json")
            if attempt_of(json.loads(path.read_text())) not in living
        ]
        left += [
            f"container {path.stem}"
            for path in self.docker.containers.glob("*.json")
            if not any(path.stem.startswith(name) for name in living)
        ]
        left += [
            f"directory {path.name}"
            for path in (self.path / "data" / "attempts").glob("*-*")
            if path.name not in directories
        ]
        return left + [f"process {pid}: {what}" for pid, what in self.processes().items()]

    def starts(self, verb: str = "create") -> Counter[str]:
        """Count how often kind was started for each name."""
        path = self.path / "starts"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(line.split()[1] for line in lines if line.startswith(verb))

    def tries(self, purpose: str) -> int:
        """Count how often kind was started for a cluster."""
        cluster_id = self.clusters[purpose]
        return sum(self.docker.cluster_of(name) == cluster_id for name in self.starts())


def _differ(have: list[str], want: list[str]) -> str:
    at = next((n for n, pair in enumerate(zip(have, want, strict=False)) if pair[0] != pair[1]), -1)
    return (
        f"{len(have)} recorded, {len(want)} written, first difference at {at}: "
        f"{have[at : at + 3]} instead of {want[at : at + 3]}"
    )


@contextlib.asynccontextmanager
async def staged(database_url: str, **settings: str) -> AsyncIterator[Stage]:
    """Set everything up; the server is not started. At the end nothing of it runs."""
    path = Path(tempfile.mkdtemp(prefix="pyk8s-stage-"))  # short: it holds a socket
    database = await asyncpg.connect(database_url)
    for name in ("scenarios", "written", "at", "bin", "data"):
        (path / name).mkdir()
    _program(path / "bin" / "docker", "exit 0")
    _program(path / "bin" / "kind", f'exec {sys.executable} -I -S -X utf8 {SCRIPT} {path} "$@"')
    authority, both = write_authority(path)
    port = free_port()
    (path / "kubeconfig").write_text(
        _KUBECONFIG.format(
            authority=b64encode(authority).decode(), both=b64encode(both).decode(), port=port
        )
    )
    environment = {
        "PATH": f"{path / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYK8S_DATA_DIR": str(path / "data"),
        "PYK8S_DATABASE_URL": database_url,
        "PYK8S_DRIVER": "kind",
        "PYK8S_CLUSTER_ISOLATION": "off",  # rules on this host outlive a server
        "PYK8S_PROXY_PORT": "0",
        "PYK8S_APPS_PORT": "0",
        "PYK8S_KIND_PATH": str(path / "bin" / "kind"),
        "PYK8S_DOCKER_URL": f"unix://{path / 'docker.sock'}",
        "PYK8S_SIGNUP": "open",
        "PYK8S_HOST_NAME": "stage",
        "PYK8S_MAX_CREATES": "40",
        "PYK8S_MAX_CLUSTERS_PER_USER": "100",
        "PYK8S_LOG_FORMAT": "json",
        "PYK8S_MIGRATE": "off",
    }
    stage = Stage(path, database, environment | settings)
    kubernetes = KubernetesStandIn(stage.docker, stage.points)
    try:
        async with (
            stage.docker_socket.opened(),
            on_tls(kubernetes.app(), port, path),
        ):
            yield stage
            stage.let_go()
    finally:
        await stage.server.kill()
        await stage.http.aclose()
        await database.close(timeout=5)
        stage.end_runners()
        shutil.rmtree(path, ignore_errors=True)
        until = time.monotonic() + 10
        while stage.processes() and time.monotonic() < until:
            stage.end_runners()
            await asyncio.sleep(0.05)


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
