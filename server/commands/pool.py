"""Keep clusters ready before somebody asks: rows are written, nothing is built here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from pyk8s.wire.admin import PoolState, SetPool
from pyk8s.wire.cluster import USABLE, Phase
from server.commands.clusters import delete_cluster, preset_of
from server.store import clusters, hosts, jobs, pool, waking
from server.store.database import Database
from server.store.pool import Member
from server.templates import PRESETS, is_tuned

AWAKE: Final = 1
"""So many of each template are not paused: the next to be taken costs 13 % of a core, and saves
its owner the waking."""
FIRST_PAUSE_SECONDS: Final = 15.0
LONGEST_PAUSE_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about one template."""

    create: bool = False
    pause: tuple[UUID, ...] = ()
    wake: tuple[UUID, ...] = ()
    delete: tuple[UUID, ...] = ()
    waits_for: str | None = None
    """Why there are fewer than there should be and none is begun."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a plan is made from."""

    size: int
    version: str
    members: Collection[Member]
    people_wait: bool
    failures: int
    failed_seconds_ago: float
    sleeps_well: bool


def plan(sight: Sight) -> Plan:
    """Say what is to be done. Pure.

    People go before the pool: nothing is begun while one of them waits or is built for. After a
    create that failed the next one waits, longer each time. One at a time is built.
    """
    wrong = [
        each
        for each in sight.members
        if not each.is_changing
        and (
            each.phase is Phase.FAILED
            or each.kubernetes_version != sight.version
            or (each.phase in USABLE and not each.is_well)
        )
    ]
    good = [
        each for each in sight.members if each not in wrong and each.phase is not Phase.DELETING
    ]
    # What is still being built goes first: what is ready serves the next who asks. Then the oldest.
    by_use = sorted(good, key=lambda each: each.phase in USABLE)
    too_many = by_use[: max(0, len(good) - sight.size)]
    kept = [each for each in good if each not in too_many]
    awake = [each for each in kept if each.phase is Phase.READY and not each.is_changing]
    asleep = [each for each in kept if each.phase is Phase.PAUSED and not each.is_changing]
    waits_for = None
    if len(kept) < sight.size:
        waits_for = _reason_to_wait(sight, kept)
    return Plan(
        create=len(kept) < sight.size and waits_for is None,
        pause=tuple(
            each.cluster_id for each in awake[AWAKE:] if sight.sleeps_well and each.has_settled
        ),
        wake=tuple(each.cluster_id for each in asleep[: max(0, AWAKE - len(awake))]),
        delete=tuple(each.cluster_id for each in (*wrong, *too_many)),
        waits_for=waits_for,
    )


def _reason_to_wait(sight: Sight, kept: Collection[Member]) -> str | None:
    if any(each.phase in {Phase.PENDING, Phase.PROVISIONING} for each in kept):
        return "one is being built"
    if sight.people_wait:
        return "somebody's cluster is being built"
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (sight.failures - 1), LONGEST_PAUSE_SECONDS)
    if sight.failures and sight.failed_seconds_ago < pause:
        return f"the last {sight.failures} failed; the next is begun after {pause:g} s"
    return None


async def survey(
    database: Database, sizes: Mapping[str, int]
) -> tuple[hosts.Host | None, dict[str, Sight]]:
    """Look at every template that has, or should have, prebuilt clusters, and at their host.

    `sizes`: what the operator wants where no administrator has said anything.
    """
    async with database.reading() as session:
        found = await pool.members(session)
        wanted = {**sizes, **await pool.sizes(session)}
        if not found and not any(wanted.values()):
            return None, {}
        host = await hosts.current(session)
        people_wait = await pool.people_wait(session)
        failures = {
            template: await pool.failures_since_success(session, template) for template in wanted
        }
    if host is None:
        return None, {}
    return host, {
        template: Sight(
            size=wanted.get(template, 0),
            version=host.facts.default_kubernetes_version,
            members=[each for each in found if each.template == template],
            people_wait=people_wait,
            failures=failures.get(template, (0, 0.0))[0],
            failed_seconds_ago=failures.get(template, (0, 0.0))[1],
            sleeps_well=is_tuned(template, PRESETS[template].nodes),
        )
        for template in PRESETS
        if template in wanted or any(each.template == template for each in found)
    }


async def states(database: Database, sizes: Mapping[str, int]) -> list[PoolState]:
    """Tell how the pool is, for administrators; templates without one have size 0."""
    _, sights = await survey(database, sizes)
    return [_state(template, sights.get(template)) for template in PRESETS]


async def set_size(database: Database, asked: SetPool) -> None:
    """Change a size; the controller acts on it within seconds.

    Raises:
        TemplateUnknown: there is no such template.
    """
    preset_of(asked.template)
    async with database.transaction() as session:
        await pool.set_size(session, asked.template, asked.size)


def _state(template: str, sight: Sight | None) -> PoolState:
    members = sight.members if sight is not None else []
    ready = pool.ready_of(members, template)
    return PoolState(
        template=template,
        size=sight.size if sight is not None else 0,
        ready=len(ready),
        paused=sum(each.phase is Phase.PAUSED for each in ready),
        awake=AWAKE,
        building=sum(each.phase in {Phase.PENDING, Phase.PROVISIONING} for each in members),
        waits_for=plan(sight).waits_for if sight is not None else None,
    )


async def look_after(
    database: Database, sizes: Mapping[str, int], *, max_age_seconds: int
) -> Mapping[str, Plan]:
    """Make the plan of every template, and do it. `sizes`: as for `survey`."""
    host, sights = await survey(database, sizes)
    plans = {template: plan(sight) for template, sight in sights.items()}
    if host is not None:
        for template, todo in plans.items():
            await _do(database, template, todo, host, max_age_seconds)
    return plans


async def _do(
    database: Database, template: str, todo: Plan, host: hosts.Host, max_age_seconds: int
) -> None:
    for cluster_id in todo.delete:
        await delete_cluster(
            database, owner_id=pool.OWNER, id_or_name=cluster_id, reason="NotWantedInPool"
        )
    for cluster_id in todo.pause:
        async with database.transaction() as session:
            cluster = await clusters.lock(session, cluster_id)
            await waking.ask_to_pause(session, cluster, reason="Prebuilt")
    for cluster_id in todo.wake:
        async with database.transaction() as session:
            cluster = await clusters.lock(session, cluster_id)
            await waking.ask(session, cluster, reason="Prebuilt")
    if todo.create:
        preset = PRESETS[template]
        cluster_id = uuids.uuid7()
        new = clusters.NewCluster(
            id=cluster_id,
            name=f"prebuilt-{cluster_id.hex[-12:]}",
            template=template,
            kubernetes_version=host.facts.default_kubernetes_version,
            control_planes=preset.control_planes,
            workers=preset.workers,
            ttl_seconds=max_age_seconds,
            labels={},
            driver=host.driver,
        )
        async with database.transaction() as session:
            if await clusters.add(session, pool.OWNER, new) is not None:
                await jobs.enqueue(session, cluster_id, "create", job_id=uuids.uuid7())
