"""usage."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pyk8s.cli.command import command
from pyk8s.cli.names import cluster_names, find
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import plain, size

if TYPE_CHECKING:
    from pyk8s.client.cluster import Cluster
    from pyk8s.wire.usage import Usage


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @command(app, "usage")
    async def _(
        session: Session,
        names: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="[NAME]...", autocompletion=cluster_names, help="Left out: all that run."
            ),
        ] = None,
    ) -> None:
        """Show what clusters take of their host now: memory, processors and disk."""
        from pyk8s.wire.cluster import USABLE

        async with session.lab() as lab:
            if names:
                clusters = [await find(lab, name) for name in names]
            else:
                clusters = [each for each in await lab.clusters.list() if each.phase in USABLE]
            used = await asyncio.gather(*(each.usage() for each in clusters))
        items = [
            {"name": cluster.name, "phase": cluster.phase.value, **usage.model_dump(mode="json")}
            for cluster, usage in zip(clusters, used, strict=True)
        ]
        session.show(
            {"items": items},
            name=lambda item: str(item["name"]),
            table=lambda: session.print_table(_table(clusters, used)),
        )
        if not items:
            session.say("No cluster runs. Make one: pyk8s create")


def _table(clusters: "list[Cluster]", used: "list[Usage]") -> Table:
    rows = [
        [
            Cell(plain(cluster.name)),
            Cell(cluster.phase.value),
            Cell(size(usage.memory_bytes)),
            Cell(f"{100 * usage.cpu_cores:.1f} %"),
            Cell("" if usage.disk_bytes is None else size(usage.disk_bytes)),
        ]
        for cluster, usage in zip(clusters, used, strict=True)
    ]
    columns = [
        Column("NAME"),
        Column("PHASE", 1),
        Column("MEMORY"),
        Column("OF A CORE"),
        Column("DISK"),
    ]
    return Table(columns, rows)
