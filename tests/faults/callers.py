"""People who ask the API all the time, and how long each answer takes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from tests.faults.site import Site

PAUSE_SECONDS: Final = 0.05
"""Between an answer and the next question of one caller."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. Times are of `time.monotonic`."""

    path: str
    status: int
    began: float
    seconds: float


@dataclass(slots=True)
class Callers:
    """What they were answered so far."""

    answers: list[Answer] = field(default_factory=list)

    def between(self, since: float, until: float) -> list[Answer]:
        """Give the answers to what was asked in this time."""
        return [each for each in self.answers if since <= each.began < until]


@contextlib.asynccontextmanager
async def calling(site: Site, cluster_id: str) -> AsyncIterator[Callers]:
    """Ask for the list, a cluster, its events, the capacity and the readiness, each all the time.

    A call that breaks or gets no answer in 30 s fails the test.
    """
    paths = [
        "/api/v1/clusters",
        f"/api/v1/clusters/{cluster_id}",
        f"/api/v1/clusters/{cluster_id}/events",
        "/api/v1/capacity",
        "/readyz",
    ]
    callers = Callers()
    done = asyncio.Event()
    async with (
        httpx.AsyncClient(
            base_url=site.server.url, headers=site.http.headers, trust_env=False, timeout=30
        ) as http,
        asyncio.TaskGroup() as tasks,
    ):
        for path in paths:
            tasks.create_task(_call(http, path, callers, done))
        try:
            yield callers
        finally:
            done.set()


async def _call(http: httpx.AsyncClient, path: str, callers: Callers, done: asyncio.Event) -> None:
    while not done.is_set():
        began = time.monotonic()
        status = (await http.get(path)).status_code
        callers.answers.append(Answer(path, status, began, time.monotonic() - began))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await done.wait()


def quantile(answers: Sequence[Answer], share: float) -> float:
    """Give how many seconds so many (0 to 1) of the answers took at most."""
    took = sorted(each.seconds for each in answers)
    return took[min(len(took) - 1, int(len(took) * share))]
