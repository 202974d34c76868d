"""The SDK against a whole server with the simulated driver."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyk8s import (
    ClusterFailed,
    Conflict,
    Forbidden,
    Invalid,
    Lab,
    NotFound,
    Phase,
    Reconnecting,
    StreamState,
    Unauthenticated,
)
from server.config import Settings
from tests.integration.conftest import LabServer, serving

DEADLINE = 30


@pytest.fixture
async def lab(lab_server: LabServer, tmp_path: Path) -> AsyncIterator[Lab]:
    """Sign ada up."""
    config = tmp_path / "config.toml"
    async with Lab(lab_server.base_url, environ={}, config_path=config) as lab:
        await lab.register("ada", "correct horse battery")
        yield lab


async def test_a_cluster_from_the_wish_to_the_end(lab: Lab) -> None:
    cluster = await lab.clusters.create("demo", labels={"team": "red"}, ttl_seconds=600)
    seqs: list[int] = []

    async def follow() -> None:
        seqs.extend([event.seq async for event in cluster.events()])

    async with asyncio.timeout(DEADLINE):
        following = asyncio.create_task(follow())
        waiting = await lab.clusters.get("demo")
        await waiting.wait_ready()
        [listed] = await lab.clusters.list(phase="ready", labels={"team": "red"})
        fresh = await lab.clusters.get(cluster.id)
        assert waiting.snapshot == listed.snapshot == fresh.snapshot, "the fold is the truth"
        assert [item.seq async for item in fresh.stored_events()] == list(
            range(1, fresh.snapshot.last_seq + 1)
        )
        assert "pyk8s-demo" in await waiting.kubeconfig()
        assert "Ensuring node image" in await waiting.log()
        await waiting.delete()
        await waiting.wait("deleted")
        await following
    assert seqs == list(range(1, cluster.snapshot.last_seq + 1))
    assert cluster.phase is Phase.DELETED
    assert (await waiting.delete()).phase is Phase.DELETED, "safe to repeat"


async def test_a_repeated_create_is_one_cluster(lab: Lab) -> None:
    first = await lab.clusters.create(idempotency_key="one")
    again = await lab.clusters.create(idempotency_key="one")
    assert first.id == again.id
    assert len(await lab.clusters.list()) == 1


async def test_a_failure_explains_itself(lab: Lab) -> None:
    cluster = await lab.clusters.create(labels={"simulate": "fail-late"})
    with pytest.raises(ClusterFailed) as caught:
        await cluster.wait_ready(timeout_seconds=DEADLINE)
    assert caught.value.failure is not None
    assert caught.value.failure.evidence
    assert caught.value.fix


async def test_refusals_are_typed(lab: Lab, lab_server: LabServer, tmp_path: Path) -> None:
    await lab.clusters.create("demo")
    with pytest.raises(Conflict) as conflict:
        await lab.clusters.create("demo")
    assert conflict.value.code == "name_taken"
    with pytest.raises(Invalid) as invalid:
        await lab.clusters.create("other", template="nonsense")
    assert invalid.value.errors[0].field == "template"
    with pytest.raises(NotFound):
        await lab.clusters.get("nobody")
    nobody = Lab(lab_server.base_url, "pyk8s_wrong", environ={}, config_path=tmp_path / "none")
    async with nobody:
        with pytest.raises(Unauthenticated):
            await nobody.clusters.list()
        with pytest.raises(Unauthenticated):
            await nobody.login("ada", "wrong words")
    reading = await lab.tokens.create("reader", ["clusters:read"])
    async with Lab(lab_server.base_url, reading.token, environ={}) as reader:
        assert (await reader.clusters.get("demo")).name == "demo"
        with pytest.raises(Forbidden):
            await reader.clusters.create()


async def test_a_login_is_a_token_that_logout_revokes(
    lab: Lab, lab_server: LabServer, tmp_path: Path
) -> None:
    assert (await lab.me()).user.username == "ada"
    assert (await lab.server()).driver == "simulated"
    assert (await lab.capacity()).driver == "simulated"
    assert any(template.is_default for template in await lab.templates())
    first = (await lab.tokens.list())[0].id
    await lab.login("ada", "correct horse battery")
    [token] = await lab.tokens.list()
    assert token.id != first, "the token of the first sign-in is revoked"
    assert token.name.startswith("cli@")
    await lab.logout()
    with pytest.raises(Unauthenticated):
        await lab.me()


async def test_a_stream_survives_a_restart_of_the_server(
    settings: Settings, tmp_path: Path
) -> None:
    seqs: list[int] = []
    states: list[StreamState] = []
    lost = asyncio.Event()
    begun = asyncio.Event()

    def on_state(state: StreamState) -> None:
        states.append(state)
        lost.set()

    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(contextlib.AsyncExitStack())
        server = await first.enter_async_context(serving(settings))
        config = tmp_path / "config.toml"
        lab = await stack.enter_async_context(Lab(server.base_url, environ={}, config_path=config))
        await lab.register("ada", "correct horse battery")
        cluster = await lab.clusters.create()

        async def follow() -> None:
            async for event in cluster.events(on_state=on_state):
                seqs.append(event.seq)
                begun.set()

        async with asyncio.timeout(2 * DEADLINE):
            following = asyncio.create_task(follow())
            await begun.wait()
            await cluster.wait_ready()
            await first.aclose()
            await lost.wait()
            await stack.enter_async_context(serving(settings))
            await cluster.delete()
            await following
    assert seqs == list(range(1, cluster.snapshot.last_seq + 1))
    assert isinstance(states[0], Reconnecting)
