"""What clusters take: learned from those that were, and added up for a host."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import Float, and_, cast, func, select, union_all, update

from pyk8s.wire.cluster import Phase
from server.admission import Held, Load, Need
from server.store import use
from server.store.database import ReadSession, WriteSession
from server.store.recent import last_ready
from server.store.tables import AttemptRow, ClusterRow, JobRow

HISTORY: Final = 50
"""From how many of a template's last clusters its need is learned."""
NEARLY_ALL: Final = 0.95
"""Memory that is not there kills. Of CPU it is builds alone on their machine that tell: side by
side each takes less, and the more of them there were the more would be let in."""
MIDDLE: Final = 0.5
"""Of clusters that stand, the quietest minutes: what people run in them they can share."""

Needs = Mapping[tuple[str, str], Need]
"""What a node takes, by template and driver."""


async def learned(session: ReadSession) -> Needs:
    """Tell from the last clusters what a node of each template takes."""
    last = last_ready(HISTORY)
    seconds = func.extract("epoch", AttemptRow.finished_at - AttemptRow.started_at)
    measured = {
        "memory": (NEARLY_ALL, cast(AttemptRow.memory_bytes, Float)),
        "build": (NEARLY_ALL, AttemptRow.build_cpu_seconds / func.nullif(seconds, 0)),
        "standing": (MIDDLE, AttemptRow.standing_cores),
    }
    nodes = last.c.control_planes + last.c.workers
    query = (
        select(
            last.c.template,
            last.c.driver,
            *(
                func.percentile_cont(share).within_group(value / nodes)
                for share, value in measured.values()
            ),
        )
        .join(AttemptRow, AttemptRow.cluster_id == last.c.id)
        .where(AttemptRow.memory_bytes.is_not(None))
        .group_by(last.c.template, last.c.driver)
    )
    guess = Need()
    return {
        (template, driver): Need(
            memory=round(memory),
            build_cores=guess.build_cores if build is None else build,
            standing_cores=guess.standing_cores if standing is None else standing,
        )
        for template, driver, memory, build, standing in await session.execute(query)
    }


def of_cluster(needs: Needs, template: str, driver: str, nodes: int) -> Need:
    """Give what a cluster takes, all its nodes together; a guess, until something is learned."""
    return needs.get((template, driver), Need()).times(nodes)


async def load(session: ReadSession, host_id: UUID, needs: Needs) -> Load:
    """Add up what is on a host, or is about to be."""
    building = and_(
        JobRow.cluster_id == ClusterRow.id, JobRow.kind == "create", JobRow.state == "running"
    )
    claimed = select(JobRow.cluster_id).where(
        JobRow.kind == "create", JobRow.state == "running", JobRow.host_id == host_id
    )
    in_pieces = select(AttemptRow.cluster_id).where(
        AttemptRow.host_id == host_id, AttemptRow.removed_at.is_(None)
    )
    memory = (
        select(func.sum(AttemptRow.memory_bytes))
        .where(AttemptRow.cluster_id == ClusterRow.id, AttemptRow.removed_at.is_(None))
        .scalar_subquery()
    )
    rows = await session.execute(
        select(
            ClusterRow.template,
            ClusterRow.driver,
            ClusterRow.control_planes + ClusterRow.workers,
            ClusterRow.phase,
            select(JobRow.id).where(building).exists(),
            memory,
            use.is_stopped(),
        ).where(ClusterRow.id.in_(union_all(claimed, in_pieces)))
    )
    held = []
    for template, driver, nodes, phase, is_building, measured, is_stopped in rows:
        need = of_cluster(needs, template, driver, nodes)
        if measured is not None and measured > need.memory:
            need = Need(int(measured), need.build_cores, need.standing_cores)
        if is_stopped:
            need = Need(0, need.build_cores, need.standing_cores)
        held.append(Held(need, is_building=is_building, is_paused=phase == Phase.PAUSED.value))
    return Load(tuple(held))


async def note_built(
    session: WriteSession, attempt_id: UUID, *, memory_bytes: int, cpu_seconds: float
) -> None:
    """Keep what a cluster had taken when it became ready."""
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id)
        .values(memory_bytes=memory_bytes, build_cpu_seconds=cpu_seconds)
        .execution_options(synchronize_session=False)
    )


async def note_standing(
    session: WriteSession, attempt_id: UUID, *, memory_bytes: int, cores: float | None
) -> None:
    """Keep the most memory that a cluster took in its life, and how busy its quietest time was."""
    values = {"memory_bytes": func.greatest(AttemptRow.memory_bytes, memory_bytes)}
    if cores is not None:
        values |= {"standing_cores": func.least(AttemptRow.standing_cores, cores)}
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id, AttemptRow.removed_at.is_(None))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
