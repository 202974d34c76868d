"""What a tenant's own API server can do to the server that asks it: nothing that others notice."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from pyk8s.wire.apps import AppKind
from server.config import Settings
from server.kube.ports import NoPort, Place, open_port
from server.kube.upstream import Upstream
from server.proxy import authority, relay
from tests.integration.conftest import Caller, LabServer, serving, sign_up
from tests.integration.proxy.conftest import lead_to
from tests.integration.proxy.hostile import HOWS, HostileApi, serving_harm
from tests.ports import free_port

pytestmark = pytest.mark.timeout(300)  # some ways to do harm take the whole of a time limit

MIB = 1 << 20
MOST_GROWTH = 20 * MIB
DEADLINE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Site:
    """A server with a cluster of ann whose API server is the hostile one."""

    server: LabServer
    api: HostileApi
    ann: Caller
    cluster: str

    async def upstream(self) -> Upstream:
        return await self.server.state["upstreams"].of(UUID(self.cluster))

    async def through_proxy(self, path: str) -> int:
        """Return the status of the proxy's answer to a request for the cluster's API server."""
        made = await self.ann.http.post(
            f"/api/v1/clusters/{self.cluster}/credentials", json={"name": "test"}
        )
        trust = ssl.create_default_context(cadata=made.json()["certificate_authority"])
        port = self.server.state["settings"].listens_for_proxy_on
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}
        async with httpx.AsyncClient(verify=trust, headers=bearer, timeout=60) as client:
            url = f"https://127.0.0.1:{port}/clusters/{self.cluster}{path}"
            return (await client.get(url)).status_code

    async def direct(self) -> tuple[int, str]:
        path = f"/api/v1/clusters/{self.cluster}/kubeconfig"
        answer = await self.ann.http.get(path, params={"endpoint": "direct"}, timeout=60)
        return answer.status_code, answer.text


@pytest.fixture
async def site(settings: Settings, tmp_path: Path) -> AsyncIterator[Site]:
    identity = authority.own(tmp_path / "api", ["127.0.0.1"], now=datetime.now(UTC))
    api = HostileApi(identity)
    with_proxy = settings.model_copy(update={"proxy_port": free_port()})
    with serving_harm(api):
        async with serving(with_proxy) as server:
            ann = await sign_up(server, "ann")
            async with ann.http:
                cluster = (await ann.create(name="mine"))["id"]
                await ann.until(cluster, "ready")
                await lead_to(server, cluster, api)
                yield Site(server, api, ann, cluster)


@contextmanager
def little_memory() -> Iterator[None]:
    """Check that the most memory that the process has meanwhile is little more than before."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here: proc(5)
    yield
    assert _status("VmHWM") - before < MOST_GROWTH


def _status(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


async def quiet(api: HostileApi) -> None:
    """Wait until nobody reads from the API server any more."""
    async with asyncio.timeout(10):
        while api.open:
            await asyncio.sleep(0.01)


async def test_a_certificate_is_not_waited_for_without_a_limit(site: Site) -> None:
    await site.ann.http.get("/api/v1/server")  # what is loaded at the first request
    for how in HOWS:
        site.api.how, site.api.at = how, "POST"
        with little_memory():
            async with asyncio.timeout(DEADLINE_SECONDS):
                status, said = await site.direct()
        assert status == 503, (how, said)
        assert "\\u0000" not in said
        await quiet(site.api)


async def test_every_step_of_a_certificate_is_bounded(site: Site) -> None:
    for at in ("DELETE", "GET /apis/cert", "PUT"):
        site.api.at = at
        with little_memory():
            async with asyncio.timeout(DEADLINE_SECONDS):
                status, said = await site.direct()
        assert status == 503, (at, said)
        await quiet(site.api)


async def test_who_hangs_up_ends_what_was_asked_for_it(site: Site) -> None:
    site.api.how, site.api.at = "drip", "POST"
    asking = asyncio.create_task(site.direct())
    async with asyncio.timeout(10):
        while not site.api.open:
            await asyncio.sleep(0.01)
    asking.cancel()
    async with asyncio.timeout(2.5):  # a call alone has 5 s
        while site.api.open:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("kind", "at", "hows"),
    [
        (AppKind.SERVICE, "services", [*HOWS]),
        (AppKind.POD, "portforward", ["redirect", "blanks", "control characters", "informational"]),
    ],
)
async def test_the_way_to_an_app_is_bounded(
    site: Site, kind: AppKind, at: str, hows: list[str]
) -> None:
    upstream = await site.upstream()
    for how in hows:
        site.api.how, site.api.at = how, at
        with little_memory():
            async with asyncio.timeout(DEADLINE_SECONDS):
                with pytest.raises(NoPort):
                    await open_port(upstream, "ann", Place(kind, "default", "web", 80))
        assert not [each for each in site.api.asked if "elsewhere" in each]
        await quiet(site.api)


async def test_a_frame_of_a_gibibyte_is_not_kept(site: Site) -> None:
    site.api.how, site.api.at = "frame", "portforward"
    upstream = await site.upstream()
    with little_memory():
        async with asyncio.timeout(DEADLINE_SECONDS):
            port = await open_port(upstream, "ann", Place(AppKind.POD, "default", "web", 80))
            with pytest.raises(Exception, match="exceeds limit"):
                await port.receive()
            await port.aclose()
    await quiet(site.api)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("early hints", 503),
        ("second answers", 200),
        ("answers while idle", 200),
        ("status 999", 503),
    ],
)
async def test_answers_that_are_none_harm_nobody(site: Site, how: str, expected: int) -> None:
    site.api.how, site.api.at = how, "harm"
    assert await site.through_proxy("/warm") == 200  # loads what the first request needs
    with little_memory():
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await site.through_proxy("/harm") == expected
            await quiet(site.api)
            assert (await site.ann.http.get("/healthz")).status_code == 200
    assert await site.through_proxy("/after") == 200


async def test_the_head_of_an_answer_is_not_waited_for_without_a_limit(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "HEAD_SECONDS", 0.2)
    site.api.how, site.api.at = "slow hints", "harm"
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await site.through_proxy("/harm") == 503
        await quiet(site.api)


async def test_a_log_of_a_silent_container_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "HEAD_SECONDS", 0.2)
    site.api.how, site.api.at = "late", "/log"
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await site.through_proxy("/api/v1/namespaces/default/pods/quiet/log") == 200
    site.api.at = "/pods"
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await site.through_proxy("/api/v1/namespaces/default/pods") == 503
