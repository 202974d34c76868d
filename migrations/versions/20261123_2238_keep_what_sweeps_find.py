"""keep what sweeps find

Revision ID: 5b0c1d93e7a4
Revises: f71875872a21
Create Date: 2026-11-23 22:38:11.204518+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "5b0c1d93e7a4"
down_revision: str | Sequence[str] | None = "f71875872a21"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "drift",
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unreachable", sa.Text(), nullable=True),
        sa.Column(
            "attempts",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "differences",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "repairs",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_drift_host_id_hosts")),
        sa.PrimaryKeyConstraint("host_id", name=op.f("pk_drift")),
    )


def downgrade() -> None:
    op.drop_table("drift")
