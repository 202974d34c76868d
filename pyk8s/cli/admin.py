"""admin drift, admin pool; backup and restore are in a module of their own."""

from typing import Annotated, Any

import typer

from pyk8s.cli import backup
from pyk8s.cli.command import command
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import plain

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID...", help="Which differences to repair. Left out: all."),
]

Sizes = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEMPLATE=COUNT...", help="Change this first: default=2."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="For administrators.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="admin")

    @group.callback()
    def _group() -> None:
        """For administrators."""

    backup.register(group)

    @command(group, "pool")
    async def _(session: Session, sizes: Sizes = None) -> None:
        """Show the clusters that are built before somebody asks, or say how many there should be.

        More are built one by one, fewer are deleted at once.
        """
        async with session.lab() as lab:
            for template, size in [_size(each) for each in sizes or ()]:
                await lab.set_pool(template, size)
            document = await lab.get("/admin/pool")
        session.show(
            document,
            name=lambda item: str(item["template"]),
            table=lambda: _show_pool(session, document),
        )

    @command(group, "drift")
    async def _(
        session: Session,
        ids: Ids = None,
        repair: Annotated[
            bool, typer.Option("--repair", help="Repair what differs. Asks first.")
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    ) -> None:
        """Show what should exist on the hosts, what does, and what differs."""
        async with session.lab() as lab:
            if not repair:
                document = await lab.get("/admin/drift")
                session.show(
                    document,
                    name=lambda item: str(item["host"]),
                    table=lambda: _show(session, document),
                )
                return
            document = await lab.repair_drift(ids or None)
            _tell(session, document["differences"])
            if not document["differences"]:
                return
            if not yes:
                typer.confirm("Do this?", abort=True, err=True)
            chosen = [str(each["id"]) for each in document["differences"]]
            done = await lab.repair_drift(chosen, dry_run=False)
            session.show(
                done,
                name=lambda item: str(item["id"]),
                table=lambda: session.out.print("Asked for. Look again: pyk8s admin drift"),
            )


def _show(session: Session, document: dict[str, Any]) -> None:
    from pyk8s.client.http import understand
    from pyk8s.wire.admin import DriftReport

    for host in understand(DriftReport, document).items:
        session.out.print(f"{plain(host.host)} ({plain(host.driver)})", style="bold")
        if host.unreachable:
            session.out.print(f"  {plain(host.unreachable)}")
            continue
        rows = [
            [
                Cell(plain(each.cluster or "?")),
                Cell(plain(each.phase or "not known")),
                Cell(plain(", ".join(each.pieces) or "nothing")),
                Cell("yes" if each.has_directory else "no"),
                Cell("yes" if each.has_kubeconfig else "no"),
            ]
            for each in host.attempts
        ]
        columns = [
            Column("CLUSTER"),
            Column("PHASE"),
            Column("ON THE HOST", 1, is_elastic=True),
            Column("DIRECTORY", 2),
            Column("KUBECONFIG", 3),
        ]
        if rows:
            session.print_table(Table(columns, rows))
        differences = [each.model_dump(mode="json") for each in host.differences]
        _tell(session, differences)


def _tell(session: Session, differences: list[dict[str, Any]]) -> None:
    if not differences:
        session.say("Nothing differs.")
    for each in differences:
        session.say(f"{plain(str(each['id']))}: {plain(str(each['explanation']))}")
        session.say(f"  repair: {plain(str(each['repair']))}", style="dim")


def _size(given: str) -> tuple[str, int]:
    template, _, count = given.partition("=")
    if not template or not count.isdecimal():
        raise typer.BadParameter(f"{given!r} is not TEMPLATE=COUNT, such as default=2")
    return template, int(count)


def _show_pool(session: Session, document: dict[str, Any]) -> None:
    from pyk8s.client.http import understand
    from pyk8s.wire.admin import PoolList

    rows = [
        [
            Cell(plain(each.template)),
            *(Cell(str(count)) for count in (each.size, each.ready, each.paused, each.building)),
            Cell(plain(each.waits_for or "")),
        ]
        for each in understand(PoolList, document).items
    ]
    titles = ("TEMPLATE", "SIZE", "READY", "PAUSED", "BUILDING")
    columns = [*(Column(title) for title in titles), Column("WAITS FOR", is_elastic=True)]
    session.print_table(Table(columns, rows))
