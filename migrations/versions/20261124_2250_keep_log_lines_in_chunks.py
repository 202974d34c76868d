"""keep log lines in chunks

Revision ID: c4d81e2f7b30
Revises: 7c1f0b6a9d42
Create Date: 2026-11-24 22:50:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c4d81e2f7b30"
down_revision: str | Sequence[str] | None = "7c1f0b6a9d42"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# lz4 is quicker than PostgreSQL's own way at the same size; not every build has it.
LZ4 = """
DO $$ BEGIN
  ALTER TABLE log_chunks ALTER COLUMN events SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$
"""

MOVE = r"""
WITH lines AS (
  SELECT cluster_id, seq,
    (row_number() OVER (PARTITION BY cluster_id ORDER BY seq) - 1) / 256 AS chunk,
    '{"seq":' || seq || ',"type":"log_line","version":' || version || ',"at":"'
      || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
      || '","data":' || data::text || '}' AS event
  FROM events WHERE type = 'log_line'
)
INSERT INTO log_chunks (cluster_id, last_seq, first_seq, lines, events)
SELECT cluster_id, max(seq), min(seq), count(*), string_agg(event, E',\n' ORDER BY seq)
FROM lines GROUP BY cluster_id, chunk
"""

VIEW = """
CREATE VIEW event_log AS
SELECT cluster_id, seq, type, version, at, data FROM events
UNION ALL
SELECT chunk.cluster_id, (line->>'seq')::bigint, line->>'type', (line->>'version')::integer,
  (line->>'at')::timestamptz, line->'data'
FROM log_chunks AS chunk
CROSS JOIN LATERAL jsonb_array_elements(('[' || chunk.events || ']')::jsonb) AS line
"""


def upgrade() -> None:
    op.create_table(
        "log_chunks",
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name=op.f("fk_log_chunks_cluster_id_clusters")
        ),
        sa.PrimaryKeyConstraint("cluster_id", "last_seq", name=op.f("pk_log_chunks")),
    )
    op.execute(LZ4)
    op.execute(MOVE)
    op.execute("DELETE FROM events WHERE type = 'log_line'")
    op.execute(VIEW)
    op.add_column(
        "clusters", sa.Column("log_removed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_clusters_deleted_at_logged",
        "clusters",
        ["deleted_at"],
        postgresql_where=sa.text("log_removed_at IS NULL"),
    )


def downgrade() -> None:
    op.execute(
        "INSERT INTO events (cluster_id, seq, type, version, at, data) "
        "SELECT cluster_id, seq, type, version, at, data FROM event_log WHERE type = 'log_line'"
    )
    op.execute("DROP VIEW event_log")
    op.drop_index("ix_clusters_deleted_at_logged", table_name="clusters")
    op.drop_column("clusters", "log_removed_at")
    op.drop_table("log_chunks")
