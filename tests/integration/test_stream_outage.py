"""PostgreSQL goes away under an open stream: the connection stays, and goes on where it was."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pyk8s.client import stream as sdk
from pyk8s.client.lab import Lab
from server.config import Settings
from tests.integration.between import Between, between
from tests.integration.conftest import Caller, serving, sign_up


@asynccontextmanager
async def interrupted(settings: Settings) -> AsyncIterator[tuple[Caller, Between]]:
    """Serve with a PostgreSQL that can be away."""
    assert settings.database_url is not None
    with tempfile.TemporaryDirectory(prefix="pyk8s-") as directory:
        async with between(settings.database_url.get_secret_value(), Path(directory)) as database:
            address = SecretStr(database.address)
            async with serving(settings.model_copy(update={"database_url": address})) as server:
                ann = await sign_up(server, "ann")
                async with ann.http:
                    yield ann, database
                    database.come_back()


async def frame(socket: Any) -> dict[str, Any]:
    async with asyncio.timeout(30):
        received: dict[str, Any] = json.loads(await socket.recv())
        return received


async def test_a_subscription_waits_for_postgresql(settings: Settings) -> None:
    async with interrupted(settings) as (ann, database):
        cluster = await ann.create(labels={"simulate": "hang"})
        await ann.until(cluster["id"], "provisioning")
        topic = f"cluster:{cluster['id']}"
        async with ann.stream() as socket:
            database.go_away()
            assert (await ann.http.get("/api/v1/clusters")).status_code == 503
            await socket.send(json.dumps({"type": "subscribe", "topic": topic}))
            # Meanwhile the connection is alive, and a client can find that out.
            for nonce in ("1", "2"):
                await socket.send(json.dumps({"type": "ping", "nonce": nonce}))
                assert await frame(socket) == {"type": "pong", "nonce": nonce}
            database.come_back()
            snapshot = await frame(socket)
            assert (snapshot["type"], snapshot["topic"]) == ("snapshot", topic)


async def test_the_sdk_asks_before_it_takes_silence_for_death(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "SHORTEST_SILENCE_SECONDS", 1.0)
    monkeypatch.setattr("server.api.stream.HEARTBEAT_SECONDS", 0.1)
    async with interrupted(settings) as (ann, _):
        made = await ann.create(labels={"simulate": "hang"})
        await ann.until(made["id"], "provisioning")
        states: list[sdk.StreamState] = []
        async with Lab(ann.base_url, ann.token, environ={}) as lab:
            cluster = await lab.clusters.get(made["id"])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(4):  # of a silence that lasts 10 s
                    async for event in cluster.events(on_state=states.append):
                        assert event.seq
        assert states == []
