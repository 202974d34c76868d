"""kubeconfig list, revoke, token."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.options import WHOLE_LIST, duration
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import plain, short, until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyk8s.client.kept_tokens import KeptToken
    from pyk8s.wire.access import Credential


def register(group: typer.Typer) -> None:
    """Add the commands to the group `kubeconfig`."""

    @command(group, "list")
    async def _(session: Session, name: Name) -> None:
        """List your credentials that open a cluster now. Each kubeconfig has its own."""
        async with session.lab() as lab:
            cluster = await find(lab, name)
            document = await lab.get(f"/clusters/{cluster.id}/credentials", limit=WHOLE_LIST)
        session.show(
            document,
            name=lambda item: str(item["id"]),
            table=lambda: session.print_table(_table(document)),
        )

    @command(group, "revoke")
    async def _(
        session: Session,
        name: Name,
        credential: Annotated[
            str | None, typer.Argument(metavar="ID", help="As kubeconfig list shows it.")
        ] = None,
        every: Annotated[bool, typer.Option("--all", help="All of yours.")] = False,
    ) -> None:
        """End a credential, and what is open under it, within a second."""
        if every == (credential is not None):
            raise typer.BadParameter("Give the ID of one credential, or --all.")
        async with session.lab() as lab:
            cluster = await find(lab, name)
            wanted = [str(each.id) for each in await cluster.credentials()] if every else []
            for each in [credential] if credential else wanted:
                await cluster.revoke_credential(each)
                session.say(f"{plain(each)} no longer opens {plain(cluster.name)}.")
        if every and not wanted:
            session.say(f"You have no credential for {plain(cluster.name)}.")

    @command(group, "token")
    async def _(
        session: Session,
        cluster_id: Annotated[str, typer.Argument(metavar="CLUSTER_ID", help="The cluster's id.")],
        expires: Annotated[
            int | None, typer.Option(parser=duration, metavar="TIME", help="Like 8h.")
        ] = None,
    ) -> None:
        """Print a token for kubectl, which runs this for a kubeconfig of --exec."""
        from pyk8s.client.errors import NotFound
        from pyk8s.client.kept_tokens import EXEC_SECONDS

        async with session.lab() as lab:
            try:
                kept = await lab.kept_tokens.token(
                    cluster_id,
                    lab.credentials(cluster_id),
                    now=datetime.now(UTC),
                    seconds=expires or EXEC_SECONDS,
                )
            except NotFound as error:
                error.detail = f"You have no cluster {cluster_id} any more."
                error.fix = "Take its context out: pyk8s kubeconfig remove NAME"
                raise
        session.data(json.dumps(_exec_credential(kept)))


def _exec_credential(kept: "KeptToken") -> dict[str, Any]:
    from pyk8s.client.kubeconfig import EXEC_VERSION

    ends = kept.used_until.astimezone(UTC)
    return {
        "apiVersion": EXEC_VERSION,
        "kind": "ExecCredential",
        "spec": {"interactive": False},
        "status": {"expirationTimestamp": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "token": kept.token},
    }


def _table(document: "Mapping[str, Any]") -> Table:
    from pyk8s.client.http import understand
    from pyk8s.wire.access import CredentialList

    rows = [
        [
            Cell(str(each.id)),
            Cell(each.endpoint.value),
            Cell(plain(each.name)),
            Cell(f"{short(-until(each.created_at))} ago"),
            Cell(f"in {short(until(each.expires_at))}"),
            Cell(_used(each), "dim"),
        ]
        for each in understand(CredentialList, document).items
    ]
    columns = [
        Column("ID"),
        Column("ENDPOINT"),
        Column("MADE FOR", 3),
        Column("CREATED", 2),
        Column("EXPIRES", 1),
        Column("USED"),
    ]
    return Table(columns, rows)


def _used(credential: "Credential") -> str:
    from pyk8s.wire.access import Endpoint

    if credential.endpoint is Endpoint.DIRECT:
        return "not known"
    at = credential.last_used_at
    return f"{short(-until(at))} ago" if at else "never"
