"""learn what clusters take

Revision ID: 7c1f0b6a9d42
Revises: 5b0c1d93e7a4
Create Date: 2026-11-24 20:10:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7c1f0b6a9d42"
down_revision: str | Sequence[str] | None = "5b0c1d93e7a4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("memory_bytes", sa.BigInteger(), nullable=True))
    op.add_column("attempts", sa.Column("build_cpu_seconds", sa.Float(), nullable=True))
    op.add_column("attempts", sa.Column("standing_cores", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("attempts", "standing_cores")
    op.drop_column("attempts", "build_cpu_seconds")
    op.drop_column("attempts", "memory_bytes")
