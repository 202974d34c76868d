"""create, and what is shown while a cluster comes up."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pyk8s.cli.command import command
from pyk8s.cli.exits import CLUSTER_FAILED
from pyk8s.cli.options import Labels, duration, read_labels
from pyk8s.cli.session import Session
from pyk8s.cli.words import plain, spoken

if TYPE_CHECKING:
    from pyk8s.client.cluster import Cluster
    from pyk8s.client.lab import Lab
    from pyk8s.wire.service import Expected

Lifetime = Annotated[
    int | None,
    typer.Option("--ttl", parser=duration, metavar="TIME", help="Lifetime: 30m, 2h, 1h30m, 1d."),
]
BuildPatience = Annotated[
    int,
    typer.Option(
        "--timeout",
        parser=duration,
        metavar="TIME",
        show_default="15m",
        help="How long to wait. The cluster goes on.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @command(app, "create")
    async def _(
        session: Session,
        name: Annotated[
            str | None,
            typer.Argument(metavar="NAME", help="Left out: a friendly one is made up."),
        ] = None,
        *,
        template: Annotated[str | None, typer.Option(help="A preset; see pyk8s templates.")] = None,
        workers: Annotated[int | None, typer.Option(help="Worker nodes.")] = None,
        ttl: Lifetime = None,
        kubernetes_version: Annotated[str | None, typer.Option(metavar="VERSION")] = None,
        label: Labels = None,
        wait: Annotated[bool, typer.Option(help="Follow the build until it is ready.")] = True,
        patience: BuildPatience = 15 * 60,
    ) -> None:
        """Make a cluster, and watch it come up."""
        labels = read_labels(label)
        async with session.lab() as lab:
            usual = asyncio.create_task(_expected(lab, template))
            try:
                cluster = await lab.clusters.create(
                    name,
                    template,
                    workers=workers,
                    ttl_seconds=ttl,
                    kubernetes_version=kubernetes_version,
                    labels=labels,
                )
                if wait:
                    await watch_build(session, cluster, patience, await usual)
            finally:
                usual.cancel()
            session.show(
                cluster.document,
                name=lambda document: str(document["name"]),
                table=lambda: welcome(session, cluster),
            )


async def _expected(lab: "Lab", template: str | None) -> "Expected | None":
    from pyk8s.client.errors import LabError

    try:
        for known in await lab.templates():
            if known.name == template or (template is None and known.is_default):
                return known.expected_seconds
    except LabError:
        pass  # the create says what is wrong
    return None


async def watch_build(
    session: Session, cluster: "Cluster", patience: int, usual: "Expected | None" = None
) -> None:
    """Show how the cluster comes up, and end the program with the failure if it fails."""
    from rich.text import Text

    from pyk8s.cli.progress import Progress
    from pyk8s.cli.show import SIMULATED, show_failure
    from pyk8s.client.errors import ClusterFailed

    name = plain(cluster.name)
    title = Text(f"Creating {name}", "bold")
    if cluster.snapshot.driver == SIMULATED:
        title.append("  ").append(" simulated ", "not bold reverse")
        title.append("  nothing real is behind it", "not bold dim")
    if not session.is_quiet:
        session.tell(title)
    try:
        with Progress(session, cluster.snapshot, expected=usual) as progress:
            await cluster.wait(
                "ready",
                timeout_seconds=patience,
                on_event=progress.on_event,
                on_state=progress.on_state,
            )
        await cluster.refresh()
    except ClusterFailed as error:
        if error.failure is None:
            raise
        show_failure(session, name, error.failure)
        raise typer.Exit(CLUSTER_FAILED) from error
    except asyncio.CancelledError:
        session.say(f"\n{name} goes on without you.")
        session.say(f"  follow it: pyk8s logs -f {name}")
        session.say(f"  delete it: pyk8s delete {name}")
        raise


def welcome(session: Session, cluster: "Cluster") -> None:
    """Say what can be done with it now."""
    from pyk8s.cli.show import SIMULATED, build_seconds
    from pyk8s.cli.words import until

    snapshot = cluster.snapshot
    name = plain(cluster.name)
    if snapshot.ready_at is None:
        tag = " (simulated)" if snapshot.driver == SIMULATED else ""
        session.out.print(f"{name} is {snapshot.phase}{tag}")
        session.out.print(f"  pyk8s logs -f {name}")
        return
    end = f", deleted in {spoken(until(snapshot.expires_at))}" if snapshot.expires_at else ""
    session.out.print(f"{name} is ready in {build_seconds(snapshot):.1f} s{end}", style="bold")
    if snapshot.driver == SIMULATED:
        session.out.print("  simulated: there is no Kubernetes behind it for kubectl to talk to")
        return
    session.out.print(f"  pyk8s kubeconfig merge {name}")
    session.out.print(f"  kubectl --context pyk8s-{name} get nodes")
