"""apps publish, list, link, end-links, unpublish."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.options import duration
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import HOUR, plain, short, until

if TYPE_CHECKING:
    from pyk8s.client.cluster import Cluster
    from pyk8s.wire.apps import App, AppLink

Which = Annotated[
    str, typer.Argument(metavar="APP", help="As apps list shows it: its name, URL or id.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(
        help="Give ports of clusters a URL.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(group, name="apps")
    _register_publish(group)

    @command(group, "list")
    async def _(session: Session, name: Name) -> None:
        """List your published apps of a cluster."""
        from pyk8s.wire.apps import AppList

        async with session.lab() as lab:
            apps = await (await find(lab, name)).apps.list()
        session.show(
            AppList(items=list(apps)).model_dump(mode="json"),
            name=lambda item: str(item["name"]),
            table=lambda: session.print_table(_table(apps)),
        )
        if not apps:
            session.say(f"None yet. Publish one: pyk8s apps publish {name} SERVICE PORT")

    @command(group, "link")
    async def _(
        session: Session,
        name: Name,
        app: Which,
        expires: Annotated[
            int, typer.Option(parser=duration, metavar="TIME", help="Like 10m or 2d; at most 7d.")
        ] = HOUR,
        open_it: Annotated[
            bool, typer.Option("--open", help="Open it in the browser as well.")
        ] = False,
    ) -> None:
        """Print a link that opens an app for whoever has it, for a time. It is a secret."""
        async with session.lab() as lab:
            cluster = await find(lab, name)
            chosen = await _find_app(cluster, app)
            link = await cluster.apps.link(chosen.id, expires_in_seconds=expires)
        session.show(
            link.model_dump(mode="json"),
            name=lambda item: str(item["url"]),
            table=lambda: session.data(link.url),
        )
        _tell_link(session, link, open_it=open_it)

    @command(group, "end-links")
    async def _(session: Session, name: Name, app: Which) -> None:
        """End all links of an app, and what is open by them. The app keeps its URL."""
        async with session.lab() as lab:
            cluster = await find(lab, name)
            chosen = await _find_app(cluster, app)
            await cluster.apps.end_links(chosen.id)
        session.say(f"All links of {plain(chosen.name)} have ended.")
        session.say(f"  A new one: pyk8s apps link {name} {plain(app)}", style="dim")

    @command(group, "unpublish")
    async def _(session: Session, name: Name, app: Which) -> None:
        """Take an app's URL away. What runs in the cluster stays."""
        async with session.lab() as lab:
            cluster = await find(lab, name)
            chosen = await _find_app(cluster, app)
            await cluster.apps.unpublish(chosen.id)
        session.say(f"{plain(chosen.url)} is taken away.")


def _register_publish(group: typer.Typer) -> None:
    @command(group, "publish")
    async def _(
        session: Session,
        name: Name,
        target: Annotated[
            str, typer.Argument(metavar="TARGET", help="The service, or with --pod the pod.")
        ],
        port: Annotated[int, typer.Argument(metavar="PORT", help="The port of it.")],
        *,
        pod: Annotated[bool, typer.Option("--pod", help="TARGET is a pod.")] = False,
        namespace: Annotated[
            str, typer.Option("--namespace", "-n", help="Where it is.")
        ] = "default",
        called: Annotated[
            str | None,
            typer.Option("--as", metavar="NAME", help="Part of the URL. Left out: the target's."),
        ] = None,
        link: Annotated[
            int | None,
            typer.Option(parser=duration, metavar="TIME", help="Print a link too, good for TIME."),
        ] = None,
        open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    ) -> None:
        """Give a port of a service or a pod a URL. It is private: it opens by a link only."""
        from pyk8s.wire.apps import AppKind

        made: AppLink | None = None
        async with session.lab() as lab:
            cluster = await find(lab, name)
            app = await cluster.apps.publish(
                target,
                port,
                kind=AppKind.POD if pod else AppKind.SERVICE,
                namespace=namespace,
                name=called,
            )
            if link is not None or open_it:
                made = await cluster.apps.link(app.id, expires_in_seconds=link or HOUR)
        document = app.model_dump(mode="json")
        if made is not None:
            document["link"] = made.model_dump(mode="json")
        shown = app.url if link is None or made is None else made.url
        session.show(document, name=lambda _: shown, table=lambda: session.data(shown))
        if made is None:
            session.say(f"It is private. Open it: pyk8s apps link {name} {app.name} --open")
        else:
            _tell_link(session, made, open_it=open_it)


def _tell_link(session: Session, link: "AppLink", *, open_it: bool) -> None:
    import webbrowser

    session.say(f"Whoever has the link gets in, for {short(until(link.expires_at))}.", style="dim")
    if open_it and not webbrowser.open(link.url):
        session.say("No browser could be opened here: copy the link into one.", style="yellow")


async def _find_app(cluster: "Cluster", which: str) -> "App":
    """Find an app by id, URL or name.

    Raises:
        NotFound: there is none.
        BadParameter: several have the name.
    """
    from pyk8s.client.errors import NotFound
    from pyk8s.wire.service import Problem

    apps = await cluster.apps.list()
    found = [app for app in apps if which in {str(app.id), app.url}]
    found = found or [app for app in apps if app.name == which]
    if len(found) > 1:
        raise typer.BadParameter(f"{len(found)} apps are called {which!r}: give the URL or the id.")
    if not found:
        raise NotFound(
            Problem(
                type="about:blank",
                title="Not found",
                status=404,
                code="not_found",
                detail=f"You have no published app {which} in {cluster.name}.",
                fix=f"See which there are: pyk8s apps list {cluster.name}",
            )
        )
    return found[0]


def _table(apps: "Sequence[App]") -> Table:
    rows = [
        [
            Cell(plain(app.name)),
            Cell(plain(app.url)),
            Cell(f"{app.kind} {plain(app.namespace)}/{plain(app.target)}:{app.port}"),
            Cell(f"{short(-until(app.created_at))} ago", "dim"),
        ]
        for app in apps
    ]
    columns = [Column("NAME"), Column("URL"), Column("LEADS TO", 1), Column("PUBLISHED", 2)]
    return Table(columns, rows)
