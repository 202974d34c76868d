"""keep prebuilt clusters, and when clusters were used

Revision ID: 8e41d6f0b3c7
Revises: 5c0e9b7d2a14
Create Date: 2026-11-28 02:30:00.000000+00:00
"""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import insert

revision: str = "8e41d6f0b3c7"
down_revision: str | Sequence[str] | None = "5c0e9b7d2a14"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

POOL = UUID("00000000-0000-7000-8000-000000000001")
USERS = sa.table(
    "users",
    sa.column("id", sa.Uuid()),
    sa.column("username", sa.Text()),
    sa.column("password_hash", sa.Text()),
    sa.column("disabled_at", sa.DateTime(timezone=True)),
)
CLUSTERS = sa.table("clusters", sa.column("owner_id", sa.Uuid()))


def upgrade() -> None:
    # `~` is in no name that a person can register, and no password has this hash.
    pool = {"id": POOL, "username": "~pool", "password_hash": "!", "disabled_at": sa.func.now()}
    op.execute(insert(USERS).values(**pool).on_conflict_do_nothing())
    op.create_table(
        "pool_sizes",
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("template", name=op.f("pk_pool_sizes")),
    )
    op.create_table(
        "cluster_use",
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name=op.f("fk_cluster_use_cluster_id_clusters")
        ),
        sa.PrimaryKeyConstraint("cluster_id", name=op.f("pk_cluster_use")),
    )


def downgrade() -> None:
    op.drop_table("cluster_use")
    op.drop_table("pool_sizes")
    # Where there was a prebuilt cluster its log stays, and so does the account that owns it.
    has_clusters = sa.select(CLUSTERS.c.owner_id).where(CLUSTERS.c.owner_id == POOL).exists()
    op.execute(USERS.delete().where(USERS.c.id == POOL, ~has_clusters))
