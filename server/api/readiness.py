"""GET /readyz: whether the server can do its work, and why not.

Everybody hears whether each check is well. What the checks say of this machine (its name, versions,
disk, memory) is for people who are signed in, and for whoever asks on the machine itself.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.base import Ask
from pyk8s.wire.hosts import is_loopback_host
from pyk8s.wire.service import Check, Health
from server import __version__
from server.api.arrival import is_private, peer, shows_others
from server.api.auth import authenticate
from server.api.disk_checks import disk_checks
from server.api.state import Readiness, State
from server.api.wire import answer, read_query
from server.config import Settings
from server.errors import LabError
from server.proxy.authority import Identity
from server.store import hosts
from server.store.database import Database
from server.store.database import now as database_now
from server.telemetry import get_logger

MAX_SKEW_SECONDS = 5.0
ENDS_SOON = timedelta(days=14)
"""Less than so long before the end of a certificate somebody should know of it."""
RECENT_SECONDS: Final = 30.0
"""So long a refusal of PostgreSQL counts against it in the checks."""
log = get_logger(__name__)
WITHHELD: Final = "for people who are signed in"
WITHHELD_FIX: Final = "the server's log tells why; so does this address with a token of yours"


class ReadyQuery(Ask):
    """Whether to tell every check. `?verbose` alone is enough."""

    verbose: str | None = None


async def readyz(request: Request[State]) -> Response:
    """Say whether the server can do its work, and with `verbose` why not."""
    query = read_query(request, ReadyQuery)
    readiness = await request.state["readiness"].get()
    checks: Sequence[Check] = []
    if query.verbose is not None or not readiness.is_ready:
        checks = readiness.checks
        if not await _may_see_details(request):
            checks = [without_details(check) for check in checks]
    health = Health(
        status="ok" if readiness.is_ready else "unready",
        version=__version__,
        driver=readiness.driver,
        checks=list(checks),
    )
    return answer(health, 200 if readiness.is_ready else 503)


async def _may_see_details(request: Request[State]) -> bool:
    if is_from_here(request):
        return True
    try:
        await authenticate(request)
    except LabError:
        return False
    return True


def is_from_here(request: Request[State]) -> bool:
    """Whether the request was made on this machine, as far as settings and headers can tell.

    In containers that is also the container network, whose only way in is the published port.
    """
    settings = request.state["settings"]
    address = peer(request)
    is_near = is_loopback_host(address) or (settings.in_container and is_private(address))
    return (
        is_near
        and settings.reached_by_others is None
        and not shows_others(request.headers, page_host=settings.page_host)
    )


def without_details(check: Check) -> Check:
    """Return what a stranger hears of a check."""
    fix = None if check.ok else WITHHELD_FIX
    return check.model_copy(update={"detail": WITHHELD, "fix": fix})


def clock_check(skew_seconds: float) -> Check:
    """Judge how far the database's clock, which leases are counted by, is before this server's."""
    ok = abs(skew_seconds) <= MAX_SKEW_SECONDS
    return Check(
        name="clock",
        ok=ok,
        detail=f"the database's clock differs by {abs(skew_seconds):.1f} s",
        fix=None
        if ok
        else "set the clocks of the server and of PostgreSQL: timedatectl set-ntp true",
    )


def certificate_check(ends_at: datetime, now: datetime) -> Check:
    """Judge how long clients will still trust the Kubernetes API proxy."""
    left = ends_at - now
    ok = left >= ENDS_SOON
    return Check(
        name="proxy",
        ok=ok,
        detail=f"its certificate {'ends' if left > timedelta() else 'ended'} on {ends_at:%Y-%m-%d}",
        fix=None
        if ok
        else "restart the server, which makes a new one; before that renew PYK8S_TLS_CERTIFICATE "
        "if it is set",
        required=False,
    )


class Watched:
    """Looks, and logs each check that begins or ceases to fail: strangers do not hear why."""

    def __init__(self, look: Callable[[], Awaitable[Readiness]]) -> None:
        self._look = look
        self._failing: frozenset[str] = frozenset()

    async def __call__(self) -> Readiness:
        """Return what is found."""
        readiness = await self._look()
        failing = {check.name: check for check in readiness.checks if not check.ok}
        for name in failing.keys() - self._failing:
            log.warning("check_failed", check=name, detail=failing[name].detail)
        for name in self._failing - failing.keys():
            log.info("check_passed", check=name)
        self._failing = frozenset(failing)
        return readiness


async def look(
    settings: Settings,
    database: Database,
    identity: Identity | None,
    database_dir: Path | None,
    *,
    of_loops: Callable[[], Sequence[Check]] = tuple,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> Readiness:
    """Look at everything that the server needs, and at the host that it speaks for.

    `of_loops`: what is known of the server's own loops.
    """
    readiness = await _of_database(database, clock)
    readiness.checks.extend(
        [
            *await disk_checks(settings.data_dir, database_dir),
            *pressure_checks(database, monotonic()),
            *of_loops(),
        ]
    )
    if identity is not None:
        readiness.checks.append(certificate_check(identity.ends_at, clock()))
    return readiness


async def _of_database(database: Database, now: Callable[[], datetime]) -> Readiness:
    try:
        async with database.reading() as session:
            host = await hosts.current(session)
            skew = ((await database_now(session)) - now()).total_seconds()
    except LabError as error:
        outage = database.outage()
        why = f": {outage.reason}" if outage is not None and outage.reason else ""
        down = Check(name="postgresql", ok=False, detail=error.detail + why, fix=error.fix)
        return Readiness([down])
    checks = [Check(name="postgresql", ok=True, detail="answers"), clock_check(skew)]
    if host is None:
        checks.append(
            Check(
                name="provisioner",
                ok=False,
                detail="no provisioner has announced itself lately",
                fix="start a server whose PYK8S_ROLES has `provisioner`",
            )
        )
        return Readiness(checks)
    checks.append(Check(name="provisioner", ok=True, detail=f"{host.driver} on {host.name}"))
    return Readiness([*checks, *host.facts.checks], driver=host.driver)


def pressure_checks(database: Database, now: float) -> list[Check]:
    """Judge what PostgreSQL has refused lately: a full disk, more than it answers in time."""
    signs = database.signs
    line = database.line
    checks = []
    if now - signs.full_at < RECENT_SECONDS:
        checks.append(
            Check(
                name="postgresql_writes",
                ok=False,
                detail="PostgreSQL could not write: its disk is full",
                fix="free space on that disk; nothing is lost, and nothing can be changed before",
            )
        )
    busy = now - signs.busy_at < RECENT_SECONDS
    checks.append(
        Check(
            name="postgresql_line",
            ok=not busy,
            detail=f"{line.waiting} requests wait for PostgreSQL, of {line.most_waiting} that may"
            + ("; some were refused" if busy else ""),
            fix="wait; if it stays so, see what PostgreSQL does (pg_stat_activity), or raise "
            "PYK8S_DATABASE_POOL_SIZE"
            if busy
            else None,
            required=False,
        )
    )
    return checks
