"""Two servers on one database: who is connected to one follows what the other one writes."""

import asyncio
import json

from server.config import Settings
from tests.integration.conftest import Caller, serving, sign_up
from tests.ports import free_port


async def test_a_client_of_one_follows_what_the_other_writes(settings: Settings) -> None:
    """From before the create to the end of the delete: each number once, in order."""
    reader = settings.model_copy(
        update={"port": free_port(), "roles": "api", "data_dir": settings.data_dir / "reader"}
    )
    async with serving(settings) as writing, serving(reader) as reading:
        ann = await sign_up(writing, "ann")
        there = Caller(ann.http, ann.token, reading.base_url)
        async with ann.http:
            cluster = await ann.create(name="demo")
            following = asyncio.create_task(follow(there, cluster["id"]))
            await ann.until(cluster["id"], "ready")
            await ann.http.delete(f"/api/v1/clusters/{cluster['id']}")
            async with asyncio.timeout(60):
                seen = await following
            written = (
                await ann.http.get(f"/api/v1/clusters/{cluster['id']}/events?limit=5000")
            ).json()["items"]
    assert [event["seq"] for event in seen] == list(range(1, len(written) + 1))
    assert seen == written


async def follow(caller: Caller, cluster_id: str) -> list[dict[str, object]]:
    """Take every event until the cluster's last."""
    seen: list[dict[str, object]] = []
    async with caller.stream() as socket:
        wanted = {"type": "subscribe", "topic": f"cluster:{cluster_id}", "after": 0}
        await socket.send(json.dumps(wanted))
        while True:
            frame = json.loads(await socket.recv())
            if frame["type"] == "events":
                seen += frame["events"]
            elif frame["type"] == "end":
                return seen
            else:
                assert frame["type"] in {"bookmark", "pong"}, frame
