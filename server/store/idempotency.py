"""Idempotency keys: the twin of a request gets the answer of the first."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from server.errors import KeyReused
from server.store.database import WriteSession
from server.store.tables import IdempotencyKeyRow


async def take(
    session: WriteSession, *, user_id: UUID, key: str, request_hash: bytes
) -> dict[str, Any] | None:
    """Take a key for this transaction. Gives the first request's answer if there was one.

    A twin that arrives while the first is in flight waits here for its commit, since both insert
    the same primary key; so there is never a second effect.

    Raises:
        KeyReused: the key belongs to another request.
    """
    taken = await session.scalar(
        insert(IdempotencyKeyRow)
        .values(user_id=user_id, key=key, request_hash=request_hash)
        .on_conflict_do_nothing()
        .returning(IdempotencyKeyRow.key)
    )
    if taken is not None:
        return None
    row = (
        await session.execute(
            select(IdempotencyKeyRow).where(
                IdempotencyKeyRow.user_id == user_id, IdempotencyKeyRow.key == key
            )
        )
    ).scalar_one()
    if row.request_hash != request_hash:
        raise KeyReused(
            "this Idempotency-Key came with another request before",
            fix="use a new key for a new request",
        )
    return row.answer


async def keep_answer(
    session: WriteSession, *, user_id: UUID, key: str, cluster_id: UUID, answer: dict[str, Any]
) -> None:
    """Store what a twin of this request will get."""
    await session.execute(
        update(IdempotencyKeyRow)
        .where(IdempotencyKeyRow.user_id == user_id, IdempotencyKeyRow.key == key)
        .values(cluster_id=cluster_id, answer=answer)
    )
