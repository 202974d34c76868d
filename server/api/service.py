"""What the server says of itself: templates, capacity, who may sign up, that it lives."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pyk8s.wire.accounts import Scope
from pyk8s.wire.service import (
    Capacity,
    PoolLevel,
    ServerInfo,
    Template,
    TemplateList,
)
from server import __version__
from server.admission import Load, room_for, standing_shortage
from server.api.accounts import admission_of
from server.api.auth import authenticate
from server.api.state import NO_DRIVER, State
from server.api.wire import answer
from server.commands.pool import states
from server.store import accounts, clusters, forecasts, hosts, needs
from server.templates import DEFAULT, PRESETS

TRUST = (
    "For people who know each other: a cluster's node is a privileged container, so whoever has "
    "a cluster may reach the root of its host."
)
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
