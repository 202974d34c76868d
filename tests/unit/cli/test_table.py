from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pyk8s.cli.show import cluster_table
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.wire.cluster import Cluster
from tests.unit.client.scripted import cluster_document

COLUMNS = [Column("A"), Column("B", 2), Column("C", 1), Column("PROSE", 3, is_elastic=True)]


def lines(table: Table, width: int | None) -> list[str]:
    return ["".join(cell.text for cell in line).rstrip() for line in table.fitted(width)]


def test_columns_align_and_the_most_dispensable_goes_first() -> None:
    table = Table(COLUMNS, [[Cell("aaaa"), Cell("bb"), Cell("cccccc"), Cell("p" * 40)]])
    assert lines(table, None)[0] == "A     B   C       PROSE"
    assert lines(table, 40)[1] == "aaaa  bb  cccccc  " + "p" * 21 + "…"
    assert lines(table, 20) == ["A     B   C", "aaaa  bb  cccccc"]
    assert lines(table, 12) == ["A     C", "aaaa  cccccc"]
    assert lines(table, 3) == ["A", "aaaa"], "the name is never cut"


def test_one_that_waits_shows_its_place() -> None:
    queue = {"position": 2, "size": 5, "reason": "this host builds 1 cluster at a time"}
    waiting = Cluster.model_validate(cluster_document(name="a", phase="pending", queue=queue))
    assert "pending 2/5" in lines(cluster_table([waiting], waiting.created_at), None)[1]


@given(
    st.text("abcdefghij-", min_size=1, max_size=32),
    st.sampled_from(["provisioning", "ready", "deleting"]),
    st.sampled_from(["kind", "simulated"]),
    st.text("abcdefghij", min_size=1, max_size=30),
)
def test_a_list_of_clusters_fits_80_columns(
    name: str, phase: str, driver: str, template: str
) -> None:
    progress = {"step": "control_plane", "index": 4, "total": 8, "percent": 100}
    cluster = Cluster.model_validate(
        cluster_document(
            name=name, phase=phase, driver=driver, template=template, progress=progress
        )
    )
    now = cluster.created_at + timedelta(hours=23, minutes=59)
    alive = cluster.model_copy(update={"expires_at": now + timedelta(hours=23, minutes=59)})
    shown = lines(cluster_table([alive], now), 80)
    assert all(len(line) <= 80 for line in shown)
    assert name in shown[1]
    assert driver in shown[1] or driver == "kind"
