"""The GET that makes a credential: HEAD makes none, and no page of another origin has it made."""

from collections.abc import AsyncIterator

import httpx
import pytest

from server.config import Settings
from tests.integration.conftest import Caller, serving, sign_up
from tests.integration.test_api import problem
from tests.ports import free_port

ACCOUNT = {"username": "ann", "password": "correct horse battery"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"proxy_port": free_port()})


@pytest.fixture
async def ann(settings: Settings) -> AsyncIterator[Caller]:
    async with serving(settings) as server:
        caller = await sign_up(server, "ann")
        async with caller.http:
            yield caller


async def test_a_kubeconfig_for_our_own_page_only(ann: Caller) -> None:
    cluster = await ann.create(name="demo")
    await ann.until(cluster["id"], "ready")
    url = "/api/v1/clusters/demo/kubeconfig"
    async with httpx.AsyncClient(base_url=ann.base_url, trust_env=False, timeout=30) as browser:
        await browser.post("/api/v1/auth/login", json=ACCOUNT)
        made = 0
        for site, allowed in (
            ("same-site", False),
            ("cross-site", False),
            ("no such word", False),
            ("same-origin", True),
            ("none", True),
            (None, True),
        ):
            headers = {} if site is None else {"Sec-Fetch-Site": site}
            for method in ("HEAD", "GET"):
                answer = await browser.request(method, url, headers=headers)
                assert answer.status_code == (200 if allowed else 403), (site, method)
                if method == "GET" and not allowed:
                    problem(answer, 403, "cross_origin")
            made += allowed
            listed = (await browser.get("/api/v1/clusters/demo/credentials")).json()["items"]
            assert len(listed) == made, "HEAD made one"
        # A token is not sent by a browser on its own: where its page is from does not matter.
        answer = await ann.http.get(url, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 200


async def test_head_refuses_what_get_refuses(ann: Caller) -> None:
    await ann.create(name="demo", labels={"simulate": "hang"})
    for method in ("HEAD", "GET"):
        answer = await ann.http.request(method, "/api/v1/clusters/demo/kubeconfig")
        assert answer.status_code == 409
