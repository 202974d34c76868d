"""Complete the names of clusters, and say which arguments commands share."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pyk8s.client.cluster import Cluster
    from pyk8s.client.lab import Lab

PATIENCE_SECONDS = 1.5


def cluster_names(incomplete: str) -> list[str]:
    """Ask the server for names that begin so; nothing when it does not answer at once."""
    import asyncio

    from pyk8s.client.errors import LabError
    from pyk8s.client.lab import Lab

    async def ask() -> list[str]:
        async with asyncio.timeout(PATIENCE_SECONDS), Lab() as lab:
            return [cluster.name for cluster in await lab.clusters.list()]

    try:
        return [name for name in asyncio.run(ask()) if name.startswith(incomplete)]
    except (LabError, TimeoutError):
        return []


Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The cluster's name or id.", autocompletion=cluster_names),
]


async def find(lab: "Lab", name: str) -> "Cluster":
    """Get a cluster by name or id.

    Raises:
        NotFound: there is none; said with the name, and the command that lists them.
    """
    from pyk8s.client.errors import NotFound

    try:
        return await lab.clusters.get(name)
    except NotFound as error:
        error.detail = f"You have no cluster {name}."
        error.fix = "See which there are: pyk8s list. A deleted one is found by its id only."
        raise
