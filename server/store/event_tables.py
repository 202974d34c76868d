"""The tables of the event log. Imported by `server.store` only, like the others."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from server.store.tables import Table


class EventRow(Table):
    """A stored fact that is no line of a log; these are kept for ever.

    Its number is allotted under the lock of the cluster's row.
    """

    __tablename__ = "events"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str]
    version: Mapped[int]
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]]


class LogChunkRow(Table):
    """Lines of a cluster's log, many to a row: a sixth of the space of a row for each.

    `events` is how they go over the wire, one on a line, joined by `log_chunks.SEPARATOR`. Between
    the first and the last number there may be facts of `events`, never lines of another chunk. The
    view `event_log` shows both tables as one.
    """

    __tablename__ = "log_chunks"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    last_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    first_seq: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[int]
    events: Mapped[str]
