"""images load, list."""

from collections.abc import AsyncIterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import plain, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyk8s.cli.archive import Source
    from pyk8s.wire.images import Image


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(
        help="Bring container images into clusters.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(group, name="images")

    @command(group, "list")
    async def _(session: Session, name: Name) -> None:
        """List the container images in a cluster's nodes: pods start from them without a pull."""
        from pyk8s.wire.images import ImageList

        async with session.lab() as lab:
            images = await (await find(lab, name)).images.list()
        session.show(
            ImageList(items=list(images)).model_dump(mode="json"),
            name=lambda item: str((item["names"] or [item["id"]])[0]),
            table=lambda: session.print_table(_table(images)),
        )

    @command(group, "load")
    async def _(
        session: Session,
        name: Name,
        images: Annotated[
            list[str] | None,
            typer.Argument(metavar="IMAGE...", help="Images of this machine's Docker."),
        ] = None,
        file: Annotated[
            Path | None,
            typer.Option("--file", "-f", help="What docker save wrote instead; - is stdin."),
        ] = None,
    ) -> None:
        """Bring container images into every node of a cluster, without a registry.

        A paused cluster is woken. A pod uses them as long as its imagePullPolicy is not Always,
        which it is by itself for the tag latest.
        """
        from pyk8s.cli.archive import opened

        if bool(images) == (file is not None):
            raise typer.BadParameter("give the images, or an archive of them with --file")
        async with session.lab() as lab, opened(images or [], file) as source:
            cluster = await find(lab, name)
            with _shown(session, source) as pieces:
                loaded = await cluster.images.load(pieces)
        session.show(
            loaded.model_dump(mode="json"),
            name=lambda item: "\n".join(item["names"]),
            table=lambda: session.data("\n".join(plain(each) for each in loaded.names)),
        )
        session.say(f"{size(loaded.size_bytes)} are in every node of {plain(name)}.", style="dim")


@contextmanager
def _shown(session: Session, source: "Source") -> "Iterator[AsyncIterator[bytes]]":
    """Show how much has gone: the cluster takes it as it is sent."""
    if not session.is_live:
        yield source.pieces
        return
    from rich import progress

    columns = [
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.DownloadColumn(binary_units=True),
        progress.TimeRemainingColumn(),
    ]
    with progress.Progress(*columns, console=session.err, transient=True) as shown:
        task = shown.add_task("Loading", total=source.size_bytes)
        yield _counted(source.pieces, lambda count: shown.advance(task, count))


async def _counted(
    pieces: AsyncIterator[bytes], tell: "Callable[[int], None]"
) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece
        tell(len(piece))


def _table(images: "Sequence[Image]") -> Table:
    rows = [
        [
            Cell(plain(name)),
            Cell(size(image.size_bytes)),
            Cell(str(image.nodes)),
        ]
        for image in images
        for name in image.names or [image.id.removeprefix("sha256:")[:12]]
    ]
    return Table([Column("IMAGE"), Column("SIZE"), Column("NODES", 1)], rows)
