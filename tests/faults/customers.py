"""People who create, repeat what was not acknowledged, and read what they were told."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.faults.ledger import content_of, digest_of
from tests.faults.simulated_site import Person
from tests.faults.site import Site, eventually
from tests.faults.transports import Place, over_pages

FLOOD_TEXT: Final = "I1123 12:00:00.000000     178 flood.go:1] a line of the simulated flood"
LINES_PER_SECOND: Final = 20
ASK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: when it was asked for, how long it took, and what it was."""

    began: float
    seconds: float
    status: int
    retry_after: str | None


@dataclass
class Customer:
    """Somebody who creates, and repeats what was not acknowledged until it is."""

    site: Site
    person: Person
    told: list[Told] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    async def create(self, http: httpx.AsyncClient, name: str, lines: int) -> str:
        body = {"name": name, "labels": {"simulate": f"flood:{lines}:{LINES_PER_SECOND}"}}
        headers = {**self.person.headers, "Idempotency-Key": name}
        while True:
            answer = await self._ask(http, "POST", headers=headers, json=body)
            if answer.status_code == 202:
                self.acknowledged.append(answer.json()["id"])
                return self.acknowledged[-1]
            await asyncio.sleep(ASK_SECONDS)

    async def ask_on(self, http: httpx.AsyncClient, done: asyncio.Event) -> None:
        """List one's clusters, again and again."""
        while not done.is_set():
            await self._ask(http, "GET", headers=self.person.headers)
            await asyncio.sleep(ASK_SECONDS)

    async def _ask(self, http: httpx.AsyncClient, method: str, **more: Any) -> httpx.Response:
        began = time.monotonic()
        answer = await http.request(method, f"{self.site.server.url}/api/v1/clusters", **more)
        self.told.append(
            Told(
                began,
                time.monotonic() - began,
                answer.status_code,
                answer.headers.get("Retry-After"),
            )
        )
        return answer


async def ready(site: Site, http: httpx.AsyncClient, customer: Customer, cluster_id: str) -> int:
    """Wait until a cluster is ready; give the number of its last event."""
    url = f"{site.server.url}/api/v1/clusters/{cluster_id}"
    snapshot: dict[str, Any] = {}

    async def is_ready() -> bool:
        answer = await http.get(url, headers=customer.person.headers)
        snapshot.update(answer.json() if answer.status_code == 200 else {})
        assert snapshot.get("phase") != "failed", snapshot
        return snapshot.get("phase") == "ready"

    try:
        await eventually(is_ready, 300)
    except TimeoutError:
        raise AssertionError(f"not ready: {snapshot}\n{site.log_tail()}") from None
    return int(snapshot["last_seq"])


async def stored(http: httpx.AsyncClient, place: Place, lines: int) -> str:
    """Read a whole log over REST, see that each line of its flood is there; give its digest."""
    content = b""
    async with contextlib.aclosing(over_pages(http, place, 0)) as parts:
        async for part in parts:
            if not part:
                break
            content += part.content
    flood = [line for line in content.splitlines() if b"flood.go" in line]
    assert flood == [
        content_of("log_line", f"{FLOOD_TEXT} #{n}").rstrip() for n in range(1, lines + 1)
    ]
    return digest_of([content])
