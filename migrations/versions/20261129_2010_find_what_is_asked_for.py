"""find what is asked for all the time without reading all that ever was

Revision ID: 2f7b61d09c58
Revises: 8e41d6f0b3c7
Create Date: 2026-11-29 20:10:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2f7b61d09c58"
down_revision: str | Sequence[str] | None = "8e41d6f0b3c7"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(
        "ix_clusters_last_ready",
        "clusters",
        ["template", "driver", "ready_at"],
        postgresql_where=sa.text("ready_at IS NOT NULL"),
    )
    op.create_index(
        "ix_clusters_last_ready_as_preset",
        "clusters",
        ["template", "driver", "control_planes", "workers", "ready_at"],
        postgresql_where=sa.text("ready_at IS NOT NULL AND NOT from_pool"),
    )
    op.create_index("ix_attempts_host_id_removed_at", "attempts", ["host_id", "removed_at"])


def downgrade() -> None:
    op.drop_index("ix_attempts_host_id_removed_at", table_name="attempts")
    op.drop_index("ix_clusters_last_ready_as_preset", table_name="clusters")
    op.drop_index("ix_clusters_last_ready", table_name="clusters")
