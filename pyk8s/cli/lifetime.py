"""extend, pause, resume, cancel, retry."""

from typing import TYPE_CHECKING, Annotated

import typer

from pyk8s.cli.command import command
from pyk8s.cli.create import BuildPatience, watch_build, welcome
from pyk8s.cli.names import Name, find
from pyk8s.cli.options import duration
from pyk8s.cli.session import Session
from pyk8s.cli.words import plain, spoken, until

if TYPE_CHECKING:
    from pyk8s.client.cluster import Cluster

Longer = Annotated[
    int,
    typer.Argument(parser=duration, metavar="TIME", help="How much longer: 30m, 2h, 1h30m, 1d."),
]

Wait = Annotated[bool, typer.Option(help="Wait until it is so.")]

REST_SECONDS = 120.0
"""A pause takes a moment, and so does waking; a node that had ended meanwhile is started anew."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""

    @command(app, "extend")
    async def _(session: Session, name: Name, longer: Longer) -> None:
        """Let a cluster live longer, counted from the present end of its lifetime."""
        async with session.lab() as lab:
            cluster = await (await find(lab, name)).extend(longer)
        end = cluster.snapshot.expires_at
        left = f" is deleted in {spoken(until(end))}" if end else " has no end"
        session.show(
            cluster.document,
            name=lambda item: str(item["name"]),
            table=lambda: session.out.print(f"{plain(cluster.name)}{left}"),
        )

    @command(app, "pause")
    async def _(session: Session, name: Name, *, wait: Wait = True) -> None:
        """Freeze a cluster: it keeps its memory and takes no CPU. Whoever uses it wakes it."""
        async with session.lab() as lab:
            cluster = await (await find(lab, name)).pause()
            if wait:
                await cluster.wait("paused", timeout_seconds=REST_SECONDS)
        _tell_phase(session, cluster)

    @command(app, "resume")
    async def _(session: Session, name: Name, *, wait: Wait = True) -> None:
        """Let a paused cluster go on where it was."""
        async with session.lab() as lab:
            cluster = await (await find(lab, name)).resume()
            if wait:
                await cluster.wait("ready", timeout_seconds=REST_SECONDS)
        _tell_phase(session, cluster)

    @command(app, "cancel")
    async def _(session: Session, name: Name) -> None:
        """Stop a create that is waiting or going on. What was built so far is removed."""
        async with session.lab() as lab:
            cluster = await (await find(lab, name)).cancel()

        def table() -> None:
            session.out.print(f"{plain(cluster.name)} is cancelled")
            session.out.print(f"  try again: pyk8s retry {plain(cluster.name)}")
            session.out.print(f"  delete it: pyk8s delete {plain(cluster.name)}")

        session.show(cluster.document, name=lambda item: str(item["name"]), table=table)

    @command(app, "retry")
    async def _(
        session: Session,
        name: Name,
        *,
        wait: Annotated[bool, typer.Option(help="Follow the build until it is ready.")] = True,
        patience: BuildPatience = 15 * 60,
    ) -> None:
        """Create a failed cluster anew, as it was asked for, and watch it come up."""
        async with session.lab() as lab:
            cluster = await (await find(lab, name)).retry()
            if wait:
                await watch_build(session, cluster, patience)
        session.show(
            cluster.document,
            name=lambda item: str(item["name"]),
            table=lambda: welcome(session, cluster),
        )


def _tell_phase(session: Session, cluster: "Cluster") -> None:
    session.show(
        cluster.document,
        name=lambda item: str(item["name"]),
        table=lambda: session.out.print(f"{plain(cluster.name)} is {cluster.phase}"),
    )
