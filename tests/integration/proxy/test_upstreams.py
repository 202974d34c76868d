"""Connections to API servers: those in use stay, however many others are asked for."""

import asyncio
from uuid import UUID

import pytest

from server.kube import upstream
from tests.integration.proxy.conftest import Site


async def test_who_watches_is_not_cut_off_by_who_opens_other_clusters(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "MOST", 1)
    upstreams = site.server.state["upstreams"]
    mine = await upstreams.of(UUID(site.mine))
    session = mine.session
    async with asyncio.timeout(20), session.get(f"{mine.url}/watch") as watch:
        assert await watch.content.readline() == b"line 0\n"
        await upstreams.of(UUID(site.other))
        for number in range(1, 20):
            assert await watch.content.readline() == b"line %d\n" % number
        async with session.get(f"{mine.url}/api") as again:
            assert again.status == 200
    assert not session.closed
    assert (await upstreams.of(UUID(site.mine))).session is not session
    del mine
    async with asyncio.timeout(10):
        while not session.closed:  # its last user has let go of it
            await asyncio.sleep(0.01)
