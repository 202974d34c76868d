"""One module for each row of the table; `ROWS` names them in order."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bench.measure import Figure, Setting
from bench.rows import (
    claim,
    create,
    density,
    eta,
    fanout,
    idle,
    idle_cpu,
    ingest,
    latency,
    page,
    proxy,
    replay,
    revoke,
    volume,
    watches,
)

Row = Callable[[Setting], Awaitable[list[Figure]]]

ROWS: Final[Mapping[str, Row]] = {
    "ingest": ingest.measure,
    "latency": latency.measure,
    "fanout": fanout.measure,
    "replay": replay.measure,
    "page": page.measure,
    "idle": idle.measure,
    "idle-cpu": idle_cpu.measure,
}

SUITES: Final[Mapping[str, Mapping[str, Row]]] = {
    "stream": ROWS,
    "proxy": {"proxy": proxy.measure, "watches": watches.measure, "revoke": revoke.measure},
    "create": {"create": create.measure, "eta": eta.measure},
    "claim": {"claim": claim.measure},
    "density": {"density": density.measure},
    "volume": {"volume": volume.measure},
}
"""What `bench/run SUITE` measures; all but `stream` and `volume` need Docker and kind."""

HERE: Final = frozenset({"ingest"})
"""Rows whose work is done in this process, not in a server's."""
