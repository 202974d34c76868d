"""What passes between browsers and apps, and what does not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.integration.apps.conftest import PIECE, AppSite, cookie

PIECES = 200
EVIL = "http://evil-00000000.localhost"


async def test_large_bodies_pass_both_ways(site: AppSite) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(PIECES):
            yield PIECE

    async with site.http(**cookie(await site.link())) as browser:
        up = await browser.post("/count", content=body())
        assert up.json() == {"bytes": PIECES * len(PIECE)}
        down = await browser.get("/large", params={"pieces": PIECES})
        assert down.content == PIECE * PIECES


async def test_a_websocket_passes_both_ways_and_ends_with_its_link(site: AppSite) -> None:
    headers = cookie(await site.link()) | {"Origin": f"http://{site.host}"}
    async with connect(
        f"ws://{site.host}/ws",
        host="127.0.0.1",
        port=site.port,
        additional_headers=headers,
        subprotocols=[Subprotocol("chat")],
        max_size=None,
        proxy=None,
    ) as socket:
        assert socket.subprotocol == "chat"
        await socket.send("you")
        assert await socket.recv() == "heard you"
        await socket.send(PIECE * 8)
        assert await socket.recv() == PIECE * 8
        path = f"{site.apps}/{site.published['id']}/links"
        assert (await site.ann.http.delete(path)).status_code == 204
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionClosed):
                await socket.recv()


async def test_a_websocket_without_a_link_or_of_another_page_is_refused(site: AppSite) -> None:
    good = cookie(await site.link())
    wanted: list[tuple[dict[str, str], int]] = [({}, 401), (good | {"Origin": EVIL}, 403)]
    for headers, status in wanted:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(
                f"ws://{site.host}/ws",
                host="127.0.0.1",
                port=site.port,
                additional_headers=headers,
                proxy=None,
            ):
                pass
        assert refused.value.response.status_code == status
    assert not site.app.targets


async def test_an_app_gets_no_secret_of_ours_and_hears_where_it_is_seen(site: AppSite) -> None:
    secret = await site.link()
    cookies = f"a=1; pyk8s_app={secret}; pyk8s_session=s; __Host-pyk8s_session=t; b=2"
    async with site.http() as browser:
        sent = {
            "Cookie": cookies,
            "Authorization": "Basic of-the-app",
            "X-Forwarded-Host": "evil",
            "X-Forwarded-For": "1.2.3.4",
            "Forwarded": "host=evil",
            "X-Real-IP": "1.2.3.4",
        }
        assert (await browser.get("/", headers=sent)).status_code == 200
        answer = await browser.get("/cookies", headers=sent)
    got = site.app.headers[0]
    said = dict(got)
    assert said["cookie"] == "a=1; b=2"
    assert said["host"] == said["x-forwarded-host"] == site.host
    assert said["x-forwarded-proto"] == "http"
    assert said["authorization"] == "Basic of-the-app"
    assert not {"forwarded", "x-real-ip", "x-forwarded-for"}.intersection(said)
    assert not any(name.startswith("impersonate-") for name, _ in got)
    assert [name for name, _ in got if name == "host"] == ["host"]
    assert answer.headers.get_list("set-cookie") == ["a=1"]
    assert "clear-site-data" not in answer.headers


FROM_PAGES_OF_OTHERS: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"Origin": EVIL},
    {"Origin": "null"},
]


async def test_pages_of_others_get_nothing_from_an_app(site: AppSite) -> None:
    async with site.http(**cookie(await site.link())) as browser:
        for headers in FROM_PAGES_OF_OTHERS:
            assert (await browser.get("/", headers=headers)).status_code == 403, headers
        assert not site.app.targets
        own = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
        assert (await browser.post("/", headers=own)).status_code == 200
        followed = {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        assert (await browser.get("/", headers=followed)).status_code == 200
        assert (await browser.post("/", headers=followed)).status_code == 403


async def test_only_the_host_name_of_an_app_leads_to_it(site: AppSite) -> None:
    secret = await site.link()
    carried = f"Cookie: pyk8s_app={secret}"
    name, _, port = site.host.partition(":")
    label = name.partition(".")[0]
    for host in (site.host, site.host.upper(), name, f"{name}.", f"{name}.:{port}", f"{name}:1"):
        assert (await site.raw("/", f"Host: {host}", carried))[0] == 200, host
    reached = len(site.app.targets)
    strangers = [
        "", "localhost", f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", label,
        f"x{name}", f"x.{name}", f"{name}.evil.example", f"{label}.localhost.localhost",
        f"{label}.localhos", f"{label}localhost", f".{name}", f"{name}..", f"{label}..localhost",
        f"{name}:", f"{name}:x", f"{name}@evil", f"evil@{name}", f"{name}/x", f"{name},{name}",
        f"{label}%00.localhost", f"-{name}", f"{label}_.localhost", "a" * 300 + ".localhost",
        f"{name}\xe9",
    ]  # fmt: skip
    for host in strangers:
        status, _, _ = await site.raw("/", f"Host: {host}", carried)
        assert status in {400, 404}, host
    two = await site.raw("/", f"Host: {site.host}", "Host: localhost", carried)
    none = await site.raw("/", carried)
    assert {two[0], none[0]} <= {400, 404}
    assert len(site.app.targets) == reached, "none of them reached the app"


async def test_a_link_leads_to_no_other_host(site: AppSite) -> None:
    secret = await site.link()
    for path in (
        "//evil.example", "/\\evil.example", "/\\/evil.example", "\\\\evil.example",
        "///evil.example/x", "/\t/evil.example", "/%09/evil.example", "/\x0b/evil.example",
        "http://evil.example//evil.example", "/..//evil.example", "/\xa0/evil.example",
    ):  # fmt: skip
        target = f"{path}?pyk8s-link={secret}"
        status, headers, _ = await site.raw(target, f"Host: {site.host}")
        assert status in {303, 400}, path
        location = headers.get("location", "/")
        assert location.startswith("/"), path
        assert location[1:2] not in {"/", "\\", "\t", "\r", "\n"}, path


async def test_no_method_passes_without_a_link(site: AppSite) -> None:
    for method in ("CONNECT", "TRACE", "OPTIONS", "DELETE", "PROPFIND"):
        target = site.host if method == "CONNECT" else "/"
        status, _, _ = await site.raw(target, f"Host: {site.host}", method=method)
        assert status in {400, 401, 404, 405}, method
    assert not site.app.targets


UNREACHABLE: list[tuple[str, dict[str, object], str]] = [
    ("empty", {}, "service empty has no ready pod"),
    ("nothing", {}, "the cluster answered 404 for"),
    ("web", {"port": 81}, "service web has no port 81"),
    ("deaf", {}, "connection refused"),
    ("web-0", {"kind": "pod", "port": 81}, "connection refused"),
]


async def test_an_app_that_cannot_be_reached_says_why(site: AppSite) -> None:
    for target, more, why in UNREACHABLE:
        app = await site.publish(target, **more)
        host = app["url"].removeprefix("http://")
        async with site.http(host, **cookie(await site.link(app))) as browser:
            answer = await browser.get("/")
        assert answer.status_code == 502
        assert "does not answer" in answer.text
        assert why in answer.text


async def test_many_at_once_share_the_way_into_an_app(site: AppSite) -> None:
    async with site.http(**cookie(await site.link())) as browser:
        answers = await asyncio.gather(*(browser.get(f"/{n}") for n in range(40)))
    assert [answer.text for answer in answers] == [f"seen /{n}" for n in range(40)]
    assert len(site.server.state["app_gate"]._bridges._ways) == 1


@pytest.mark.parametrize(
    ("first", "again", "expected"),
    [
        (b"", b"HTTP/1.1 103 E\r\n\r\n", 502),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            200,
        ),
    ],
)
async def test_an_app_that_answers_without_an_end_is_cut_off(
    site: AppSite, first: bytes, again: bytes, expected: int
) -> None:
    ended = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        try:
            while not writer.is_closing():
                writer.write(again * 500)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
            ended.set()

    async with await asyncio.start_server(flood, "127.0.0.1", 0) as app:
        site.app.port = app.sockets[0].getsockname()[1]
        async with asyncio.timeout(30), site.http(**cookie(await site.link())) as browser:
            assert (await browser.get("/")).status_code == expected
            await ended.wait()
