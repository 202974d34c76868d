"""Peers that subscribe and never read: nobody else notices, and they are gone soon."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest
from pydantic import SecretStr

from server.api import stream, streams
from server.config import Settings
from server.transport.listening import TCP_OPTIONS
from tests.faults.crowd import Viewer, footprint, quantile_of, simulated_site, stalled, viewing
from tests.faults.site import eventually
from tests.integration.conftest import serving, sign_up
from tests.ports import free_port

MIB: Final = 2**20
LINES_PER_SECOND: Final = 600
DESCRIPTORS: Final = 5
"""TCP connections that may be more than before: requests of the test itself."""
NOISE_SECONDS: Final = 2.0
"""Below it a late batch may be noise of a busy machine."""


@dataclass(frozen=True, slots=True)
class Course:
    """How it went. Times in seconds, sizes in bytes."""

    calm_p99: float
    stormy_p99: float
    gone_after: float
    resident: int
    kernel: int


async def weather(viewers: list[Viewer], seconds: float) -> float:
    """Wait so long; tell the 99th percentile of how late the viewers got their lines."""
    began = time.monotonic()
    await asyncio.sleep(seconds)
    ended = time.monotonic()
    return quantile_of([late for each in viewers for late in each.lateness(began, ended)], 0.99)


@dataclass(frozen=True, slots=True)
class Place:
    """A server with a flood that waits for its turn behind a create that hangs."""

    http: httpx.AsyncClient
    url: str
    pid: int
    token: str
    blocking: str
    flood: str


async def place_of(http: httpx.AsyncClient, url: str, pid: int, token: str) -> Place:
    ids = []
    for simulated in ("hang", f"flood:100000:{LINES_PER_SECOND}"):
        wish = {"labels": {"simulate": simulated}}
        answer = await http.post(f"{url}/api/v1/clusters", json=wish)
        assert answer.status_code == 202, answer.text
        ids.append(answer.json()["id"])
    return Place(http, url, pid, token, *ids)


async def storm(place: Place, *, healthy: int, stalling: int, calm: float) -> Course:
    """Let a flood loose on those who watch and those who stall, until the latter are gone."""
    pid = place.pid
    async with viewing(place.url, place.token, place.flood, healthy) as viewers:
        before = footprint(pid)
        resident = kernel = 0
        async with stalled(place.url, place.token, place.flood, stalling):
            ours = stalling if pid == os.getpid() else 0

            async def are_gone() -> bool:
                nonlocal resident, kernel
                now = footprint(pid)
                resident = max(resident, now.resident_bytes - before.resident_bytes)
                kernel = max(kernel, now.kernel_bytes - before.kernel_bytes)
                return now.descriptors <= before.descriptors + ours + DESCRIPTORS

            assert not await are_gone()
            cancelled = await place.http.post(
                f"{place.url}/api/v1/clusters/{place.blocking}/cancel"
            )
            assert cancelled.status_code == 202
            began = time.monotonic()
            await eventually(are_gone, 90)
            ended = time.monotonic()
        late = [late for each in viewers for late in each.lateness(began, ended)]
        calm_p99 = await weather(viewers, calm)
        assert all(each.close_code is None for each in viewers)
    return Course(calm_p99, quantile_of(late, 0.99), ended - began, resident, kernel)


async def test_stalled_readers_go_and_nobody_notices(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with less patience and fewer peers, in this process."""
    monkeypatch.setattr(streams, "SEND_SECONDS", 2.0)
    monkeypatch.setattr(stream, "LAST_SECONDS", 0.5)
    monkeypatch.setitem(TCP_OPTIONS, "TCP_USER_TIMEOUT", 60_000)
    settings = Settings(
        port=free_port(),
        data_dir=tmp_path / "data",
        database_url=SecretStr(database_url),
        driver="simulated",
        proxy_port=0,
        apps_port=0,
        simulated_speed=50,
        signup="open",
        host_name="test-host",
        streams_per_user=1000,
        max_creates=1,
    )
    async with serving(settings) as server:
        ann = await sign_up(server, "ann")
        async with ann.http:
            place = await place_of(ann.http, ann.base_url, os.getpid(), ann.token)
            course = await storm(place, healthy=5, stalling=40, calm=1.5)
            assert course.stormy_p99 < max(NOISE_SECONDS, 10 * course.calm_p99), course
            assert course.resident < 60 * MIB, course


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_thousand_stalled_readers(database_url: str) -> None:
    async with simulated_site(database_url) as site:
        await site.server.start()
        await site.sign_up()
        token = site.http.headers["Authorization"].removeprefix("Bearer ")
        place = await place_of(site.http, site.server.url, site.server.pid, token)
        course = await storm(place, healthy=20, stalling=1000, calm=8)
        print(course)  # noqa: T201 - the figures are what the long run is for
        assert course.gone_after < 30, course
        assert course.resident < 150 * MIB, course
        assert course.kernel < 200 * MIB, course
        assert course.stormy_p99 < max(0.25, 3 * course.calm_p99), course
        assert "Traceback" not in site.log(), site.log_tail()
