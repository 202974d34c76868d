"""The last clusters that became ready: what is learned for the next ones is learned from them.

An index gives those of one template and driver, youngest first, so that it does not matter how
many there have been.
"""

from sqlalchemy import Integer, Subquery, Text, column, select, true, values

from server.store.tables import ClusterRow, HostRow
from server.templates import PRESETS


def last_ready(limit: int, *, as_preset: bool = False) -> Subquery:
    """Select so many of each template and of each driver that a host has.

    `as_preset`: only those that were built when somebody asked (none from the pool), with as many
    nodes as their template has.
    """
    presets = values(
        column("template", Text),
        column("control_planes", Integer),
        column("workers", Integer),
        name="presets",
    ).data([(each.name, each.control_planes, each.workers) for each in PRESETS.values()])
    drivers = select(HostRow.driver).distinct().subquery("drivers")
    of_one = (
        select(
            ClusterRow.id,
            ClusterRow.template,
            ClusterRow.driver,
            ClusterRow.control_planes,
            ClusterRow.workers,
            ClusterRow.ready_at,
        )
        .where(
            ClusterRow.template == presets.c.template,
            ClusterRow.driver == drivers.c.driver,
            ClusterRow.ready_at.is_not(None),
        )
        .order_by(ClusterRow.ready_at.desc())
        .limit(limit)
    )
    if as_preset:
        of_one = of_one.where(
            ClusterRow.control_planes == presets.c.control_planes,
            ClusterRow.workers == presets.c.workers,
            ~ClusterRow.from_pool,
        )
    last = of_one.lateral("last_of_one")
    return (
        select(last).select_from(presets).join(drivers, true()).join(last, true()).subquery("last")
    )
