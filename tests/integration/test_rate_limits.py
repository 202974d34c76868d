"""What is left of a limit is said in headers, and agrees with Retry-After."""

import re
from contextlib import AsyncExitStack
from typing import Final

import httpx
import pytest

from server.config import Settings
from server.errors.limits import RateLimit
from tests.integration.conftest import Caller
from tests.integration.test_api import problem

ACCOUNT: Final = {"username": "ann", "password": "a wrong horse"}
STREAMS: Final = 2


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with few streams for each user."""
    return settings.model_copy(update={"streams_per_user": STREAMS})


@pytest.mark.parametrize(
    ("limit", "policy", "left"),
    [
        (RateLimit("tries", 5, 4), '"tries";q=5', '"tries";r=4'),
        (RateLimit("tries", 5, 0, 1.2), '"tries";q=5', '"tries";r=0;t=2'),
        (
            RateLimit("streams", 20, -1, 5.0, unit="concurrent-requests"),
            '"streams";q=20;qu="concurrent-requests"',
            '"streams";r=0;t=5',
        ),
    ],
)
def test_how_a_limit_is_written(limit: RateLimit, policy: str, left: str) -> None:
    assert limit.headers() == {"RateLimit-Policy": policy, "RateLimit": left}


async def test_wrong_tries_are_counted_down(ann: Caller) -> None:
    async with httpx.AsyncClient(base_url=ann.base_url, trust_env=False, timeout=30) as http:
        for left in (4, 3, 2, 1):
            wrong = await http.post("/api/v1/auth/login", json=ACCOUNT)
            problem(wrong, 401, "wrong_credentials")
            assert wrong.headers["ratelimit-policy"] == '"tries";q=5'
            assert wrong.headers["ratelimit"] == f'"tries";r={left}'
        last = await http.post("/api/v1/auth/login", json=ACCOUNT)
        problem(last, 401, "wrong_credentials")
        assert re.fullmatch(r'"tries";r=(0;t=\d|1)', last.headers["ratelimit"])
        # Each wrong try makes the next wait longer, so that one of them meets the wait.
        while (refused := await http.post("/api/v1/auth/login", json=ACCOUNT)).status_code == 401:
            assert refused.json()["code"] == "wrong_credentials"
        problem(refused, 429, "too_many_attempts")
        wait = refused.headers["retry-after"]
        assert refused.headers["ratelimit"] == f'"tries";r=0;t={wait}'


async def test_streams_are_counted_down(ann: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "hang"})
    path = f"/api/v1/clusters/{cluster['id']}/events"
    sse = {"Accept": "text/event-stream"}
    async with AsyncExitStack() as opened:
        for left in range(STREAMS - 1, -1, -1):
            stream = await opened.enter_async_context(ann.http.stream("GET", path, headers=sse))
            assert stream.status_code == 200
            policy = f'"streams";q={STREAMS};qu="concurrent-requests"'
            assert stream.headers["ratelimit-policy"] == policy
            assert stream.headers["ratelimit"].startswith(f'"streams";r={left}')
        refused = await ann.http.get(path, headers=sse)
        problem(refused, 429, "too_many_sockets")
        assert refused.headers["ratelimit"] == f'"streams";r=0;t={refused.headers["retry-after"]}'
