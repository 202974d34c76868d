"""A server that makes real clusters, and somebody who asks it for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.measure import Setting
from bench.site import add_accounts, free_port
from pyk8s.client.lab import Lab


@asynccontextmanager
async def lab_on(setting: Setting, **settings: str) -> AsyncIterator[Lab]:
    """Run a server with Docker and kind until the block ends. Its clusters have to be gone then."""
    async with setting.site.database() as database:
        owner = (await add_accounts(database, 1))[0]
        kind = {"PYK8S_DRIVER": "kind", "PYK8S_PROXY_PORT": str(free_port())}
        async with (
            setting.site.server(database, **(kind | settings)) as server,
            Lab(server.url, token=owner.token) as lab,
        ):
            yield lab
