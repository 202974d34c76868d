"""The machines that have a provisioner, and what they last said of themselves."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from pyk8s.wire.service import Check
from server.admission import Space
from server.store.database import ReadSession, WriteSession
from server.store.tables import HostRow

STALE_SECONDS: Final = 60
"""A host that has said nothing for so long is not there any more."""


class HostFacts(BaseModel):
    """What a host can do, as it said itself."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    node_images: dict[str, str]
    """Kubernetes version, such as `v1.36.4`, to node image."""
    default_kubernetes_version: str
    space: Space = Space(cpus=None, memory_total=None, memory_available=None)
    """What it has for clusters, as last measured."""
    checks: list[Check]


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with a provisioner."""

    id: UUID
    name: str
    driver: str
    facts: HostFacts


async def announce(
    session: WriteSession, *, host_id: UUID, name: str, driver: str, facts: HostFacts
) -> UUID:
    """Say that a host is there. Gives the id it is known by: an older one if its name is known."""
    said = {
        "driver": driver,
        "facts": facts.model_dump(mode="json"),
        "heartbeat_at": func.clock_timestamp(),
    }
    taken = select(HostRow.id).where(HostRow.name == name, HostRow.id != host_id).exists()
    known: UUID | None = await session.scalar(
        update(HostRow).where(HostRow.id == host_id, ~taken).values(name=name, **said)
        .returning(HostRow.id)
    )  # fmt: skip
    if known is not None:
        return known
    statement = insert(HostRow).values(id=host_id, name=name, **said)
    return (
        await session.execute(
            statement.on_conflict_do_update(index_elements=[HostRow.name], set_=said)
            .returning(HostRow.id)
        )
    ).scalar_one()  # fmt: skip


async def heartbeat(session: WriteSession, host_id: UUID, facts: HostFacts) -> None:
    """Say that a host is still there, and what it is like now."""
    await session.execute(
        update(HostRow)
        .where(HostRow.id == host_id)
        .values(facts=facts.model_dump(mode="json"), heartbeat_at=func.clock_timestamp())
    )


async def speaks(session: ReadSession, host_id: UUID) -> bool:
    """Tell whether this host is the one that says how the waiting line stands.

    Each host is short of something else: they must not contradict each other in turn.
    """
    first = select(HostRow.id).where(_is_there()).order_by(HostRow.id).limit(1)
    return (await session.scalar(first)) == host_id


def _is_there() -> ColumnElement[bool]:
    return HostRow.heartbeat_at > func.now() - text(f"interval '{STALE_SECONDS} seconds'")


async def current(session: ReadSession) -> Host | None:
    """Give the host that was heard of last, or None when none was heard of for a minute."""
    row = await session.scalar(
        select(HostRow).where(_is_there()).order_by(HostRow.heartbeat_at.desc()).limit(1)
    )
    if row is None:
        return None
    return Host(row.id, row.name, row.driver, HostFacts.model_validate(row.facts))
