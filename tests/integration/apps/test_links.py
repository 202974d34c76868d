"""Who gets into a published app, and when they are out again."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from tests.faults.site import eventually
from tests.integration.apps.conftest import AppSite, cookie, cookies_of

GONE_SECONDS = 10


async def test_a_link_becomes_a_cookie_and_the_cookie_opens_the_app(site: AppSite) -> None:
    secret = await site.link()
    async with site.http() as browser:
        refused = await browser.get("/")
        assert refused.status_code == 401
        assert "private" in refused.text
        let_in = await browser.get(f"/deep/page?a=1&pyk8s-link={secret}&b=2")
        assert let_in.status_code == 303
        assert let_in.headers["location"] == "/deep/page?a=1&b=2"
        assert let_in.headers["referrer-policy"] == "no-referrer"
        given = cookies_of(let_in)["pyk8s_app"]
        assert given.value == secret
        assert given["httponly"]
        assert given["samesite"] == "Lax"
        assert not given["domain"]
        assert not site.app.targets, "nothing reached the app yet"
        seen = await browser.get(let_in.headers["location"], headers=cookie(given.value))
        assert (seen.status_code, seen.text) == (200, "seen /deep/page")
    assert site.app.targets == ["/deep/page?a=1&b=2"]
    assert site.forwarded == [("ann", "web-0")]


async def test_what_is_no_link_to_this_app_opens_nothing(site: AppSite) -> None:
    secret = await site.link()
    other = await site.link(await site.publish("web", name="other"))
    changed = ("B" if secret[5] == "A" else "A").join([secret[:5], secret[6:]])
    over, ended = site.signed(ends_in=-1), site.signed(ends_in=60, generation=7)
    wanted = {"": 401, "x": 401, other: 401, changed: 401, secret[:-3]: 401, over: 410, ended: 410}
    async with site.http() as browser:
        for bad, status in wanted.items():
            asked = await browser.get("/", params={"pyk8s-link": bad})
            carried = await browser.get("/", headers=cookie(bad))
            assert [asked.status_code, carried.status_code] == [status, status], bad
            assert "set-cookie" not in asked.headers
        assert "Its time is over" in (await browser.get("/", headers=cookie(over))).text
        several = f"pyk8s_app={other}; pyk8s_app={over}; pyk8s_app={secret}"
        assert (await browser.get("/", headers={"Cookie": several})).status_code == 200
    assert len(site.app.targets) == 1


async def _end_links(site: AppSite) -> int:
    path = f"{site.apps}/{site.published['id']}/links"
    assert (await site.ann.http.delete(path)).status_code == 204
    return 410


async def _unpublish(site: AppSite) -> int:
    path = f"{site.apps}/{site.published['id']}"
    assert (await site.ann.http.delete(path)).status_code == 204
    assert (await site.ann.http.delete(path)).status_code == 404
    return 404


async def _delete(site: AppSite) -> int:
    answer = await site.ann.http.delete(f"/api/v1/clusters/{site.cluster}")
    assert answer.status_code in {202, 204}
    return 404


@pytest.mark.parametrize("end", [_end_links, _unpublish, _delete])
async def test_what_is_open_ends_with_what_it_rests_on(
    site: AppSite, end: Callable[[AppSite], Awaitable[int]]
) -> None:
    secret = await site.link()
    async with site.http(**cookie(secret)) as browser:
        async with browser.stream("GET", "/stream") as answer:
            lines = answer.aiter_raw()
            assert b"line" in await anext(lines)
            status = await end(site)
            with pytest.raises(httpx.TransportError):  # cut: half must not look like the whole
                async with asyncio.timeout(GONE_SECONDS):
                    async for _ in lines:
                        pass
        assert (await browser.get("/")).status_code == status
    await eventually(lambda: _is_silent(site), GONE_SECONDS)


async def _is_silent(site: AppSite) -> bool:
    return site.app.streams == 0


async def test_what_is_open_ends_when_the_link_does(site: AppSite) -> None:
    async with (
        site.http(**cookie(site.signed(ends_in=3))) as browser,
        browser.stream("GET", "/stream") as answer,
    ):
        lines = answer.aiter_raw()
        assert b"line" in await anext(lines)
        await eventually(lambda: _is_silent(site), GONE_SECONDS)


async def test_what_is_open_ends_when_the_hint_was_lost(
    site: AppSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    app_gate = site.server.state["app_gate"]
    async with (
        site.http(**cookie(await site.link())) as browser,
        browser.stream("GET", "/stream") as answer,
    ):
        lines = answer.aiter_raw()
        assert b"line" in await anext(lines)
        monkeypatch.setattr(app_gate._openings, "end_with", _Deaf(app_gate._openings.end_with))
        await _end_links(site)
        await eventually(lambda: _is_silent(site), GONE_SECONDS)


class _Deaf:
    """Takes the first call for nothing."""

    def __init__(self, real: Callable[[set[UUID]], None]) -> None:
        self._real = real
        self._has_missed = False

    def __call__(self, ended: set[UUID]) -> None:
        if self._has_missed:
            self._real(ended)
        self._has_missed = True
