"""pause and wake

Revision ID: 5c0e9b7d2a14
Revises: e1a7c2904b6f
Create Date: 2026-11-28 02:10:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5c0e9b7d2a14"
down_revision: str | Sequence[str] | None = "e1a7c2904b6f"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_jobs_kind"), "jobs", type_="check")
    op.create_check_constraint(
        op.f("ck_jobs_kind"), "jobs", "kind IN ('create', 'delete', 'pause', 'wake')"
    )
    op.add_column("jobs", sa.Column("reason", sa.Text(), nullable=True))


def downgrade() -> None:
    # What is paused stays so: an older server says of it that it does not answer.
    op.execute("DELETE FROM jobs WHERE kind IN ('pause', 'wake')")
    op.drop_column("jobs", "reason")
    op.drop_constraint(op.f("ck_jobs_kind"), "jobs", type_="check")
    op.create_check_constraint(op.f("ck_jobs_kind"), "jobs", "kind IN ('create', 'delete')")
