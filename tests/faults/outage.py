"""What must hold while Docker is away: people are answered, and nothing is said that nobody saw."""

import json
import re
import time
from collections.abc import Sequence
from typing import Final

from tests.faults.callers import Callers, quantile
from tests.faults.site import Site, eventually

CALLS: Final = 250
"""So many answers are enough for the 99th percentile."""
FLOOR_SECONDS: Final = 1.0
"""Below it a slower answer may be noise. Who waits for Docker waits for 10 s and more."""
FACTOR: Final = 10
PROMISED_SECONDS: Final = 0.3


async def enough_calls(callers: Callers, since: float, *, lasts: float = 0) -> None:
    """Wait until enough was asked since then, and so many seconds are over."""

    async def are_there() -> bool:
        now = time.monotonic()
        return now - since >= lasts and len(callers.between(since, now)) >= CALLS

    await eventually(are_there, 120)


def check_answers(callers: Callers, away: float, back: float, *, limit: float | None) -> None:
    """See that people were answered as quickly as before, or within the limit, and never in error.

    Only the readiness may say that something is wrong with this host.
    """
    before, during = callers.between(0, away), callers.between(away, back)
    wrong = {
        (each.path, each.status)
        for each in callers.answers
        if each.status != 200 and (each.path, each.status) != ("/readyz", 503)
    }
    assert wrong == set()
    allowed = limit or max(FLOOR_SECONDS, FACTOR * quantile(before, 0.99))
    assert quantile(during, 0.99) < allowed, (quantile(before, 0.99), quantile(during, 0.99))


async def all_are(site: Site, purposes: Sequence[str], status: str) -> bool:
    """Tell whether the condition `Ready` of each of these clusters is so."""
    for purpose in purposes:
        cluster = await site.get(site.clusters[purpose])
        assert cluster["phase"] == "ready", purpose
        [ready] = [each for each in cluster["conditions"] if each["type"] == "Ready"]
        if ready["status"] != status:
            return False
    return True


async def said_of_ready(site: Site, purpose: str) -> list[tuple[str, str]]:
    """Give everything that was ever said of a cluster's readiness: (status, reason)."""
    rows = await site.database.fetch(
        "SELECT data FROM events WHERE cluster_id = $1 AND type = 'condition_changed' ORDER BY seq",
        site.clusters[purpose],
    )
    conditions = [json.loads(row["data"])["condition"] for row in rows]
    return [(each["status"], each["reason"]) for each in conditions if each["type"] == "Ready"]


async def said_of_waiting(site: Site, purpose: str) -> list[str]:
    """Give the beginning of each reason that a cluster was told to wait for."""
    rows = await site.database.fetch(
        "SELECT data->>'reason' AS reason FROM events "
        "WHERE cluster_id = $1 AND type = 'queued' ORDER BY seq",
        site.clusters[purpose],
    )
    return [re.split(r": | for ", row["reason"])[0] for row in rows]


async def look_now(site: Site) -> None:
    """Have the server compare rows and machine now, as an administrator does who asks for repair.

    By itself it does so every 15 s.
    """
    await site.database.execute("UPDATE drift SET repairs = '{nothing}'")
