"""list, get, delete, templates."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyk8s.cli.command import command
from pyk8s.cli.names import Name, cluster_names, find
from pyk8s.cli.options import Labels, duration, read_labels
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import plain, spoken

if TYPE_CHECKING:
    from pyk8s.client.cluster import Cluster

DeletePatience = Annotated[
    int,
    typer.Option(
        "--timeout", parser=duration, metavar="TIME", show_default="5m", help="How long to wait."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""

    @command(app, "list")
    async def _(
        session: Session,
        phase: Annotated[str | None, typer.Option(help="Only those in this phase.")] = None,
        label: Labels = None,
        deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones too.")] = False,
    ) -> None:
        """List your clusters."""
        async with session.lab() as lab:
            found = await lab.clusters.list(
                phase=phase, labels=read_labels(label), include_deleted=deleted
            )

        def table() -> None:
            from pyk8s.cli.show import cluster_table

            if found:
                session.print_table(cluster_table([cluster.snapshot for cluster in found]))
            else:
                session.say("No clusters. Make one: pyk8s create demo")

        document = {"items": [cluster.document for cluster in found], "next_cursor": None}
        session.show(document, name=lambda item: str(item["name"]), table=table)

    @command(app, "get")
    async def _(session: Session, name: Name) -> None:
        """Tell all about one cluster."""
        async with session.lab() as lab:
            cluster = await find(lab, name)

        def table() -> None:
            from pyk8s.cli.show import show_cluster

            show_cluster(session, cluster.snapshot)

        session.show(cluster.document, name=lambda item: str(item["name"]), table=table)

    @command(app, "delete")
    async def _(
        session: Session,
        names: Annotated[
            list[str],
            typer.Argument(metavar="NAME...", help="Names or ids.", autocompletion=cluster_names),
        ],
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
        wait: Annotated[bool, typer.Option("--wait", help="Until it is gone.")] = False,
        patience: DeletePatience = 5 * 60,
    ) -> None:
        """Delete clusters, with all that is in them. Asks first when somebody is there."""
        async with session.lab() as lab:
            found = [await find(lab, name) for name in names]
            if session.is_interactive and not yes:
                _confirm(found)
            for cluster in found:
                await cluster.delete()
            for cluster in found:
                await _farewell(session, cluster, patience if wait else None)

    @command(app, "templates")
    async def _(session: Session) -> None:
        """List the presets that clusters are made from."""
        async with session.lab() as lab:
            document = await lab.get("/templates")
        session.show(
            document,
            name=lambda item: str(item["name"]),
            table=lambda: session.print_table(_templates(document)),
        )


def _confirm(found: list["Cluster"]) -> None:
    names = ", ".join(plain(cluster.name) for cluster in found)
    typer.confirm(f"Delete {names} with all that is in it?", abort=True, err=True)


async def _farewell(session: Session, cluster: "Cluster", patience: int | None) -> None:
    from pyk8s.cli.progress import Progress
    from pyk8s.client import kubeconfig

    if patience is not None:
        with Progress(session, cluster.snapshot) as progress:
            await cluster.wait("deleted", timeout_seconds=patience, on_state=progress.on_state)
    for path in kubeconfig.candidates(os.environ, Path.home()):
        for context in kubeconfig.contexts_of(path, cluster.name):
            if kubeconfig.remove(path, context, cluster_id=str(cluster.id)):
                session.say(f"Context {context} is taken out of {path}.", style="dim")
    document = cluster.document if patience is None else (await cluster.refresh()).document
    said = "is deleted" if cluster.phase == "deleted" else "is being deleted"
    session.show(
        document,
        name=lambda item: str(item["name"]),
        table=lambda: session.out.print(f"{plain(cluster.name)} {said}"),
    )


def _templates(document: dict[str, Any]) -> Table:
    from pyk8s.client.http import understand
    from pyk8s.wire.service import TemplateList

    rows = []
    for template in understand(TemplateList, document).items:
        usual = f"{template.expected_seconds.p50:.0f} s" if template.expected_seconds else ""
        rows.append(
            [
                Cell(plain(template.name) + (" (default)" if template.is_default else "")),
                Cell(plain(template.kubernetes_version)),
                Cell(str(template.control_planes + template.workers)),
                Cell(spoken(template.ttl_seconds)),
                Cell(usual),
                Cell(plain(template.description)),
            ]
        )
    columns = [
        Column("NAME"),
        Column("VERSION"),
        Column("NODES"),
        Column("LIFETIME", 2),
        Column("USUALLY", 1),
        Column("WHAT IT IS", 3, is_elastic=True),
    ]
    return Table(columns, rows)
