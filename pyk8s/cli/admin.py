"""admin drift."""

from typing import Annotated, Any

import typer

from pyk8s.cli.command import command
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import plain

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID...", help="Which differences to repair. Left out: all."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="For administrators.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="admin")

    @group.callback()
    def _group() -> None:
        """For administrators."""

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
