"""What the sweeps of the hosts have found, and which repairs were asked for."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from pyk8s.wire.admin import Difference, DriftAttempt, HostDrift
from server.store.database import ReadSession, WriteSession
from server.store.tables import DriftRow, HostRow


async def keep(
    session: WriteSession,
    host_id: UUID,
    *,
    attempts: Sequence[DriftAttempt],
    differences: Sequence[Difference],
    unreachable: str | None = None,
) -> None:
    """Keep what a sweep has found, in place of what the one before found."""
    found = {
        "seen_at": func.clock_timestamp(),
        "unreachable": unreachable,
        "attempts": [each.model_dump(mode="json") for each in attempts],
        "differences": [each.model_dump(mode="json") for each in differences],
    }
    statement = insert(DriftRow).values(host_id=host_id, **found)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[DriftRow.host_id], set_=found)
    )


async def hosts(session: ReadSession) -> dict[UUID, HostDrift]:
    """Give the last findings of every host."""
    rows = await session.execute(
        select(DriftRow, HostRow.name, HostRow.driver)
        .join(HostRow, HostRow.id == DriftRow.host_id)
        .order_by(HostRow.name)
    )
    return {
        row.host_id: HostDrift(
            host=name,
            driver=driver,
            seen_at=row.seen_at,
            unreachable=row.unreachable,
            attempts=[DriftAttempt.model_validate(each) for each in row.attempts],
            differences=[Difference.model_validate(each) for each in row.differences],
        )
        for row, name, driver in rows
    }


async def ask_repair(session: WriteSession, host_id: UUID, differences: Collection[str]) -> None:
    """Ask the host to repair these at its next look, which comes at once."""
    await session.execute(
        update(DriftRow)
        .where(DriftRow.host_id == host_id)
        .values(repairs=sorted(differences))
        .execution_options(synchronize_session=False)
    )


async def is_asked(session: ReadSession, host_id: UUID) -> bool:
    """Tell whether a repair waits for this host."""
    query = select(func.cardinality(DriftRow.repairs) > 0).where(DriftRow.host_id == host_id)
    return bool(await session.scalar(query))


async def take_repairs(session: WriteSession, host_id: UUID) -> frozenset[str]:
    """Take what was asked for; nobody else gets it."""
    query = select(DriftRow.repairs).where(DriftRow.host_id == host_id).with_for_update()
    asked = await session.scalar(query)
    if asked:
        await ask_repair(session, host_id, [])
    return frozenset(asked or ())
