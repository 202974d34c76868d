"""A stop with many streams open, some of them stalled, and creates under way."""

import signal
import time

import pytest

from tests.faults.crowd import Viewer, simulated_site, stalled, viewing
from tests.faults.site import eventually

BLOCKING = ("one", "two")
PROMISED_SECONDS = 10.0


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_stop_is_clean(database_url: str) -> None:
    healthy, stalling = 400, 100
    async with simulated_site(database_url, PYK8S_MAX_CREATES="2") as site:
        await site.server.start()
        await site.sign_up()
        token = site.http.headers["Authorization"].removeprefix("Bearer ")
        blocking = [await site.create(name, labels={"simulate": "hang"}) for name in BLOCKING]
        flood = await site.create("flood", labels={"simulate": "flood:1200:40"})
        torrent = await site.create("other", labels={"simulate": "flood:9000:600"})
        url = site.server.url
        async with viewing(url, token, flood, healthy) as viewers:
            async with stalled(url, token, torrent, stalling):
                for each in blocking:
                    await site.http.post(f"{url}/api/v1/clusters/{each}/cancel")
                await eventually(lambda: have_reached(viewers, 200))
                began = time.monotonic()
                site.server.signal(signal.SIGTERM)
                assert await site.server.ended() == 0
                took = time.monotonic() - began
            assert took < PROMISED_SECONDS, site.log_tail()
            await eventually(lambda: are_told(viewers))
        print(f"stopped in {took:.1f} s")  # noqa: T201
        assert "Traceback" not in site.log(), site.log_tail()
        await site.server.start()
        clusters = await site.settled()
        phases = {purpose: each["phase"] for purpose, each in clusters.items()}
        assert phases["flood"] == phases["other"] == "ready"
        first = min(viewers, key=lambda viewer: viewer.last)
        # Whoever comes back with the cursor of the unluckiest gets the rest, and nothing twice.
        answer = await site.http.get(
            f"{url}/api/v1/clusters/{flood}/events?after={first.last}&limit=5000"
        )
        seqs = [event["seq"] for event in answer.json()["items"]]
        assert seqs == list(range(first.last + 1, clusters["flood"]["last_seq"] + 1))


async def are_told(viewers: list[Viewer]) -> bool:
    """Tell whether each was sent goaway, and then the close code of a restart."""
    codes = {viewer.close_code for viewer in viewers}
    return codes == {1012} and all(viewer.said == ["hello", "goaway"] for viewer in viewers)


async def have_reached(viewers: list[Viewer], seq: int) -> bool:
    return min(viewer.last for viewer in viewers) >= seq
