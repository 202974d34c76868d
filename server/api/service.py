"""What the server says of itself: templates, capacity, health, who may sign up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pyk8s.wire.accounts import Scope
from pyk8s.wire.base import Ask
from pyk8s.wire.service import (
    Capacity,
    Check,
    Health,
    PoolLevel,
    ServerInfo,
    Template,
    TemplateList,
)
from server import __version__
from server.admission import Load, room_for, standing_shortage
from server.api.accounts import admission_of
from server.api.auth import authenticate
from server.api.state import Readiness, State
from server.api.wire import answer, read_query
from server.commands.pool import states
from server.errors import LabError
from server.store import accounts, clusters, forecasts, hosts, needs
from server.store.database import Database
from server.store.database import now as database_now
from server.store.hosts import Host
from server.templates import DEFAULT, PRESETS

TRUST = (
    "For people who know each other: a cluster's node is a privileged container, so whoever has "
    "a cluster may reach the root of its host."
)
MAX_SKEW_SECONDS = 5.0
ENDS_SOON = timedelta(days=14)
"""Less than so long before the end of a certificate somebody should know of it."""
NO_DRIVER = "none"
NO_VERSION = "unknown"


async def server(request: Request[State]) -> Response:
    """Tell what anybody may know before signing in."""
    settings = request.state["settings"]
    admission = admission_of(request)
    async with request.state["database"].reading() as session:
        host = await hosts.current(session)
        is_new = not await accounts.has_users(session)
    needs_code = is_new and admission.needs_setup_code
    is_empty = is_new and not needs_code
    return answer(
        ServerInfo(
            name="PyK8s Lab",
            version=__version__,
            driver=host.driver if host is not None else NO_DRIVER,
            signup="open" if is_empty or admission.is_open else "closed",
            is_empty=is_empty,
            setup_code_required=needs_code,
            max_ttl_seconds=settings.max_ttl_seconds,
            trust=TRUST,
        )
    )


async def templates(request: Request[State]) -> Response:
    """List the presets, each with how long it usually takes here."""
    await authenticate(request, Scope.CLUSTERS_READ)
    settings = request.state["settings"]
    async with request.state["database"].reading() as session:
        host = await hosts.current(session)
        expected = await forecasts.expected(session)
    driver = host.driver if host is not None else NO_DRIVER
    version = host.facts.default_kubernetes_version if host is not None else NO_VERSION
    return answer(
        TemplateList(
            items=[
                Template(
                    name=preset.name,
                    title=preset.title,
                    description=preset.description,
                    kubernetes_version=version,
                    control_planes=preset.control_planes,
                    workers=preset.workers,
                    addons=list(preset.addons),
                    ttl_seconds=min(preset.ttl_seconds, settings.max_ttl_seconds),
                    expected_seconds=expected.get((preset.name, driver)),
                    is_default=preset.name == DEFAULT,
                )
                for preset in PRESETS.values()
            ]
        )
    )


async def capacity(request: Request[State]) -> Response:
    """Tell what the host can still take."""
    await authenticate(request, Scope.CLUSTERS_READ)
    async with request.state["database"].reading() as session:
        host = await hosts.current(session)
        living = await clusters.count_living(session)
        learned = await needs.learned(session)
        load = await needs.load(session, host.id, learned) if host is not None else Load()
    pool = {
        each.template: PoolLevel(target=each.size, prebuilt=each.ready)
        for each in await states(request.state["database"], request.state["settings"].pool_sizes)
        if each.size
    }
    if host is None:
        return answer(
            Capacity(
                driver=NO_DRIVER,
                clusters=living,
                room_for=0,
                shortage="no provisioner has announced itself",
                pool=pool,
            )
        )
    broken = next((each for each in host.facts.checks if each.required and not each.ok), None)
    wanted = needs.of_cluster(learned, DEFAULT, host.driver, PRESETS[DEFAULT].nodes)
    return answer(
        Capacity(
            driver=host.driver,
            clusters=living,
            room_for=0 if broken else room_for(host.facts.space, load, wanted),
            shortage=broken.detail if broken else standing_shortage(host.facts.space, load, wanted),
            pool=pool,
        )
    )


async def healthz(_: Request[State]) -> Response:
    """Say that the process lives. Touches nothing."""
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


class ReadyQuery(Ask):
    """Whether to tell every check. `?verbose` alone is enough."""

    verbose: str | None = None


async def readyz(request: Request[State]) -> Response:
    """Say whether the server can do its work, and with `verbose` why not."""
    query = read_query(request, ReadyQuery)
    host, readiness = await readiness_of(request.state)
    health = Health(
        status="ok" if readiness.is_ready else "unready",
        version=__version__,
        driver=host.driver if host is not None else NO_DRIVER,
        checks=readiness.checks if query.verbose is not None or not readiness.is_ready else [],
    )
    return answer(health, 200 if readiness.is_ready else 503)


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


async def readiness_of(state: State) -> tuple[Host | None, Readiness]:
    """Look at everything that the server needs, and at the host that it speaks for."""
    host, readiness = await _readiness(state["database"], lambda: datetime.now(UTC))
    if (identity := state["proxy"]) is not None:
        readiness.checks.append(certificate_check(identity.ends_at, datetime.now(UTC)))
    return host, readiness


async def _readiness(
    database: Database, now: Callable[[], datetime]
) -> tuple[Host | None, Readiness]:
    try:
        async with database.reading() as session:
            host = await hosts.current(session)
            skew = ((await database_now(session)) - now()).total_seconds()
    except LabError as error:
        outage = database.outage()
        why = f": {outage.reason}" if outage is not None and outage.reason else ""
        down = Check(name="postgresql", ok=False, detail=error.detail + why, fix=error.fix)
        return None, Readiness([down])
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
        return None, Readiness(checks)
    checks.append(Check(name="provisioner", ok=True, detail=f"{host.driver} on {host.name}"))
    return host, Readiness([*checks, *host.facts.checks])
