"""kubeconfig get, merge, remove; the rest of the group is in `credentials`."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyk8s.cli import credentials, exits
from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.options import duration, service_account
from pyk8s.cli.session import Session
from pyk8s.wire.access import Endpoint, context_name

if TYPE_CHECKING:
    from pyk8s.client.cluster import Cluster
    from pyk8s.client.kubeconfig_text import Entries
    from pyk8s.client.lab import Lab

File = Annotated[
    Path | None,
    typer.Option("--file", help="The kubeconfig. Over KUBECONFIG, over ~/.kube/config."),
]
Way = Annotated[
    Endpoint | None,
    typer.Option(
        "--endpoint",
        help="proxy: from anywhere, ends at once when revoked. direct: a certificate, on the "
        "server's own machine only. Left out: proxy, if the server has one.",
        show_default=False,
    ),
]
Expires = Annotated[
    int | None,
    typer.Option(
        "--expires",
        parser=duration,
        metavar="TIME",
        help="Like 8h, 10m at least. It never outlives the cluster. Left out: 24h, or 1h for "
        "each token of --exec.",
    ),
]
Exec = Annotated[
    bool,
    typer.Option(
        "--exec", help="Without a secret in the file: kubectl asks pyk8s for a token each time."
    ),
]

Account = Annotated[
    str | None,
    typer.Option(
        "--service-account",
        parser=service_account,
        metavar="NAMESPACE/NAME",
        help="Who asks inside the cluster, instead of you. NAME: in the namespace default.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(
        help="Use clusters with kubectl.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(group, name="kubeconfig")

    @command(group, "get")
    async def _(
        session: Session,
        name: Name,
        *,
        endpoint: Way = None,
        expires: Expires = None,
        by_exec: Exec = False,
        account: Account = None,
        raw: Annotated[
            bool,
            typer.Option("--raw", help="Print what the server sent unchecked: to look at only."),
        ] = False,
    ) -> None:
        """Print a kubeconfig for a cluster. Without --exec it is a secret.

        A kubeconfig from a server that names a command or a file of this machine is refused.
        """
        from pyk8s.client import kubeconfig, kubeconfig_text

        _check(endpoint, by_exec, account)
        async with session.lab() as lab:
            cluster = await find(lab, name)
            if by_exec:
                entries = await _exec_entries(lab, cluster, expires)
                session.data(kubeconfig_text.put("", entries, switch=True))
            else:
                text = await cluster.kubeconfig(
                    endpoint, expires_in_seconds=expires, service_account=account
                )
                if not raw:
                    kubeconfig.read_entries(text, context=context_name(cluster.name))
                session.data(text)

    @command(group, "merge")
    async def _(
        session: Session,
        name: Name,
        *,
        endpoint: Way = None,
        expires: Expires = None,
        by_exec: Exec = False,
        account: Account = None,
        switch: Annotated[
            bool, typer.Option("--switch", help="Make it the current context.")
        ] = False,
        file: File = None,
    ) -> None:
        """Put a cluster into your kubeconfig, as context pyk8s-NAME. All else in it stays.

        The context is pyk8s-NAME.direct with --endpoint direct, and
        pyk8s-NAME.sa.NAMESPACE.NAME with --service-account.
        """
        from pyk8s.client import kubeconfig

        _check(endpoint, by_exec, account)
        path = kubeconfig.target([file] if file else _files())
        async with session.lab() as lab:
            cluster = await find(lab, name)
            if by_exec:
                entries = await _exec_entries(lab, cluster, expires)
            else:
                entries = await _entries(cluster, endpoint, expires, account)
            context = entries.context
        merged = kubeconfig.merge(path, entries, switch=switch)
        if merged.is_exposed and not by_exec:
            session.say(
                f"Other users can read {merged.path}: chmod 600 {merged.path}", style="yellow"
            )
        if session.is_quiet:
            session.data(context)
            return
        current = ", now the current one" if switch else ""
        session.say(f"Context {context} is in {merged.path}{current}.")
        if by_exec:
            session.say("  It holds no secret: kubectl runs pyk8s, which has to stay signed in.")
        first = "get nodes" if account is None else "auth whoami"
        session.say(f"  kubectl --context {context} {first}")

    @command(group, "remove")
    def _(
        session: Session,
        name: Annotated[str, typer.Argument(metavar="NAME", help="The cluster's name.")],
        file: File = None,
    ) -> None:
        """Take all ways into a cluster out of your kubeconfig. It and its credentials stay.

        A context is a NAME too: pyk8s-NAME.direct.
        """
        _remove(session, name.removeprefix("pyk8s-"), [file] if file else _files())

    credentials.register(group)


def _remove(session: Session, wanted: str, paths: list[Path]) -> None:
    from pyk8s.client import kubeconfig

    touched = [
        (path, context)
        for path in paths
        for context in kubeconfig.contexts_of(path, wanted)
        if kubeconfig.remove(path, context)
    ]
    if not touched:
        where = ", ".join(map(str, paths))
        session.err.print(f"Error: no context {context_name(wanted)} in {where}.")
        raise typer.Exit(exits.NOT_FOUND)
    for path, context in touched:
        session.say(f"Context {context} is taken out of {path}.")
    short = wanted.partition(".")[0]
    session.say(
        f"  A copy of it still works: pyk8s kubeconfig list {short} shows what does, and "
        f"pyk8s kubeconfig revoke {short} ID ends it.",
        style="dim",
    )


def _check(endpoint: Endpoint | None, by_exec: bool, account: str | None) -> None:
    if by_exec and endpoint is Endpoint.DIRECT:
        raise typer.BadParameter("--exec is for the proxy; direct takes a certificate.")
    if account and endpoint is Endpoint.DIRECT:
        raise typer.BadParameter(
            "--service-account is for the proxy; with direct make a token: kubectl create token."
        )
    if account and by_exec:
        raise typer.BadParameter("--service-account puts its token into the file: without --exec.")


async def _entries(
    cluster: "Cluster", endpoint: Endpoint | None, expires: int | None, account: str | None
) -> "Entries":
    from pyk8s.client import kubeconfig

    text = await cluster.kubeconfig(endpoint, expires_in_seconds=expires, service_account=account)
    context = context_name(cluster.name, service_account=account)
    entries = kubeconfig.read_entries(text, context=context, cluster_id=str(cluster.id))
    if account is None and kubeconfig.endpoint_of(entries) is Endpoint.DIRECT:
        return replace(entries, context=context_name(cluster.name, Endpoint.DIRECT))
    return entries


async def _exec_entries(lab: "Lab", cluster: "Cluster", expires: int | None) -> "Entries":
    from pyk8s.client import kubeconfig
    from pyk8s.client.kept_tokens import EXEC_SECONDS, this_program

    created = await cluster.issue_credential(
        this_program(), expires_in_seconds=expires or EXEC_SECONDS
    )
    lab.kept_tokens.keep(str(cluster.id), created)
    more = [] if expires is None else ["--expires", f"{expires}s"]
    return kubeconfig.exec_entries(
        created,
        [*_this_program(), "--url", lab.url, "kubeconfig", "token", str(cluster.id), *more],
        context=context_name(cluster.name),
        cluster_id=str(cluster.id),
    )


def _this_program() -> list[str]:
    """Say how to run this very program from anywhere: kubectl's PATH may be another one."""
    started = Path(sys.argv[0])
    if started.stem == "pyk8s" and started.is_file():
        return [str(started.absolute())]
    return [sys.executable, "-m", "pyk8s"]


def _files() -> list[Path]:
    from pyk8s.client import kubeconfig

    return kubeconfig.candidates(os.environ, Path.home())
