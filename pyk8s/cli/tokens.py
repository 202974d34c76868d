"""tokens create, list, revoke."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyk8s.cli.command import command
from pyk8s.cli.options import WHOLE_LIST, duration
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import plain, short, until

if TYPE_CHECKING:
    from collections.abc import Mapping


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="Secrets for programs.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="tokens")

    @command(group, "create")
    async def _(
        session: Session,
        name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
        scope: Annotated[
            list[str] | None,
            typer.Option(
                "--scope",
                help="clusters:read, clusters:write, access or admin; may be repeated. "
                "Left out: all that you may, but admin.",
            ),
        ] = None,
        expires: Annotated[
            int | None,
            typer.Option(parser=duration, metavar="TIME", help="Like 12h or 30d."),
        ] = None,
    ) -> None:
        """Make a token for a program. It is printed once, and stored nowhere."""
        async with session.lab() as lab:
            scopes = scope or [s for s in (await lab.me()).scopes if s != "admin"]
            created = await lab.tokens.create(name, scopes, expires_in_seconds=expires)
        session.show(
            created.model_dump(mode="json"),
            name=lambda item: str(item["token"]),
            table=lambda: session.data(created.token),
        )
        session.say("Keep it: it is not shown again. Use it as PYK8S_TOKEN.", style="dim")

    @command(group, "list")
    async def _(session: Session) -> None:
        """List your tokens, without their secrets."""
        async with session.lab() as lab:
            document = await lab.get("/tokens", limit=WHOLE_LIST)
        session.show(
            document,
            name=lambda item: str(item["id"]),
            table=lambda: session.print_table(_table(document)),
        )

    @command(group, "revoke")
    async def _(
        session: Session,
        token: Annotated[str, typer.Argument(metavar="ID|NAME", help="As tokens list shows it.")],
    ) -> None:
        """End a token at once. A name must be that of a single token."""
        async with session.lab() as lab:
            named = [known for known in await lab.tokens.list() if known.name == token]
            if len(named) > 1:
                raise typer.BadParameter(f"{len(named)} tokens are called {token!r}: give the id.")
            await lab.tokens.revoke(named[0].id if named else token)
        session.say(f"{plain(token)} no longer works.")


def _table(document: "Mapping[str, Any]") -> Table:
    from pyk8s.client.http import understand
    from pyk8s.wire.accounts import TokenList

    rows = [
        [
            Cell(plain(token.name)),
            Cell(str(token.id)),
            Cell(f"{short(-until(token.last_used_at))} ago" if token.last_used_at else "never"),
            Cell(f"in {short(until(token.expires_at))}" if token.expires_at else "never"),
            Cell(" ".join(token.scopes), "dim"),
        ]
        for token in understand(TokenList, document).items
    ]
    columns = [
        Column("NAME"),
        Column("ID"),
        Column("USED", 1),
        Column("EXPIRES", 2),
        Column("MAY", 3),
    ]
    return Table(columns, rows)
