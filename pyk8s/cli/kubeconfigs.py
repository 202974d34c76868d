"""kubeconfig get, merge, remove."""

import os
from pathlib import Path
from typing import Annotated

import typer

from pyk8s.cli import exits
from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.session import Session

File = Annotated[
    Path | None,
    typer.Option("--file", help="The kubeconfig. Over KUBECONFIG, over ~/.kube/config."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(
        help="Use clusters with kubectl.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(group, name="kubeconfig")

    @command(group, "get")
    async def _(session: Session, name: Name) -> None:
        """Print a kubeconfig for a cluster. It is a secret."""
        async with session.lab() as lab:
            session.data(await (await find(lab, name)).kubeconfig())

    @command(group, "merge")
    async def _(
        session: Session,
        name: Name,
        switch: Annotated[
            bool, typer.Option("--switch", help="Make it the current context.")
        ] = False,
        file: File = None,
    ) -> None:
        """Put a cluster into your kubeconfig, as context pyk8s-NAME. All else in it stays."""
        from pyk8s.client import kubeconfig

        async with session.lab() as lab:
            cluster = await find(lab, name)
            text = await cluster.kubeconfig()
        context = f"pyk8s-{cluster.name}"
        entries = kubeconfig.read_entries(text, context=context, cluster_id=str(cluster.id))
        merged = kubeconfig.merge(
            kubeconfig.target([file] if file else _files()), entries, switch=switch
        )
        if merged.is_exposed:
            session.say(
                f"Other users can read {merged.path}: chmod 600 {merged.path}", style="yellow"
            )
        if session.is_quiet:
            session.data(context)
            return
        current = ", now the current one" if switch else ""
        session.say(f"Context {context} is in {merged.path}{current}.")
        session.say(f"  kubectl --context {context} get nodes")

    @command(group, "remove")
    def _(
        session: Session,
        name: Annotated[str, typer.Argument(metavar="NAME", help="The cluster's name.")],
        file: File = None,
    ) -> None:
        """Take a cluster out of your kubeconfig. The cluster itself stays."""
        from pyk8s.client import kubeconfig

        context = f"pyk8s-{name.removeprefix('pyk8s-')}"
        paths = [file] if file else _files()
        touched = [path for path in paths if kubeconfig.remove(path, context)]
        if not touched:
            session.err.print(f"Error: no context {context} in {', '.join(map(str, paths))}.")
            raise typer.Exit(exits.NOT_FOUND)
        for path in touched:
            session.say(f"Context {context} is taken out of {path}.")


def _files() -> list[Path]:
    from pyk8s.client import kubeconfig

    return kubeconfig.candidates(os.environ, Path.home())
