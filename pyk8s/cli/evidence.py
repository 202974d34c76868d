"""evidence: what was collected when a create failed."""

from pathlib import Path
from typing import Annotated

import typer

from pyk8s.cli import exits
from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.session import Session
from pyk8s.cli.words import plain


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @command(app, "evidence")
    async def _(
        session: Session,
        name: Name,
        file: Annotated[
            Path | None,
            typer.Option("--file", "-f", help="Where to; otherwise ./pyk8s-NAME-evidence.tar.gz."),
        ] = None,
    ) -> None:
        """Save what was collected when a cluster failed: journals, its container, host facts."""
        async with session.lab() as lab:
            cluster = await find(lab, name)
            archive = await cluster.evidence()
        target = file or Path(f"pyk8s-{cluster.name}-evidence.tar.gz")
        try:
            target.write_bytes(archive)
        except OSError as error:
            session.err.print(f"Error: {target} cannot be written: {error.strerror}.")
            raise typer.Exit(exits.OTHER) from error
        session.data(plain(str(target)))
        session.say(f"  tar -tzf {target}", style="dim")
