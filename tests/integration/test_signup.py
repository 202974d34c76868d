"""Who may register: only the first person, and off loopback only with the setup code."""

import asyncio
from collections import Counter

import httpx
import pytest

from server.api.readiness import WITHHELD
from server.config import Settings
from tests.integration.conftest import LabServer, serving
from tests.integration.test_api import problem

REGISTER = "/api/v1/auth/register"
PUBLIC = {
    "Origin": "https://lab.example.org",
    "Host": "lab.example.org",
    "X-Forwarded-For": "8.8.8.8",
}


def account(username: str, **more: str) -> dict[str, str]:
    return {"username": username, "password": "correct horse battery", **more}


def browser_of(server: LabServer, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.base_url, headers=headers, trust_env=False, timeout=60)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The settings of somebody who sets nothing: `auto`."""
    return settings.model_copy(update={"signup": "auto"})


@pytest.fixture
def behind_proxy(settings: Settings) -> Settings:
    """A server on loopback behind a reverse proxy with TLS."""
    return settings.model_copy(
        update={"allowed_origins": "https://lab.example.org", "secure_cookies": True}
    )


async def test_only_the_first_person_registers_on_loopback(lab_server: LabServer) -> None:
    async with browser_of(lab_server) as browser:
        told = (await browser.get("/api/v1/server")).json()
        assert (told["signup"], told["is_empty"], told["setup_code_required"]) == (
            "open",
            True,
            False,
        )
        assert (await browser.post(REGISTER, json=account("owner"))).status_code == 201
        problem(await browser.post(REGISTER, json=account("eve")), 403, "signup_closed")
        problem(await browser.post(REGISTER, json=account("owner")), 403, "signup_closed")
        told = (await browser.get("/api/v1/server")).json()
        assert (told["signup"], told["is_empty"], told["setup_code_required"]) == (
            "closed",
            False,
            False,
        )


async def test_behind_a_proxy_the_first_person_has_the_code(behind_proxy: Settings) -> None:
    path = behind_proxy.data_dir / "setup-code"
    async with serving(behind_proxy) as server, browser_of(server, **PUBLIC) as stranger:
        told = (await stranger.get("/api/v1/server")).json()
        assert (told["signup"], told["is_empty"], told["setup_code_required"]) == (
            "closed",
            False,
            True,
        )
        refusal = problem(
            await stranger.post(REGISTER, json=account("eve")), 403, "setup_code_required"
        )
        assert refusal.errors is not None
        assert [error.field for error in refusal.errors] == ["setup_code"]
        guess = account("eve", setup_code="AAAAA-AAAAA-AAAAA-AAAAA")
        answer = await stranger.post(REGISTER, json=guess)
        problem(answer, 403, "setup_code_required")
        assert "AAAAA" not in answer.text
        code = path.read_text().strip()
    async with serving(behind_proxy) as server, browser_of(server, **PUBLIC) as owner:
        assert path.read_text().strip() == code, "the same after a restart"
        first = await owner.post(REGISTER, json=account("owner", setup_code=code))
        assert first.status_code == 201
        assert first.json()["user"]["is_admin"] is True
        assert not path.exists(), "it opens nothing any more"
        again = await owner.post(REGISTER, json=account("eve", setup_code=code))
        problem(again, 403, "signup_closed")
        told = (await owner.get("/api/v1/server")).json()
        assert (told["signup"], told["setup_code_required"]) == ("closed", False)


async def test_wrong_codes_are_slowed_down_and_the_right_one_is_not(
    behind_proxy: Settings,
) -> None:
    async with serving(behind_proxy) as server, browser_of(server, **PUBLIC) as stranger:
        guesses = [
            stranger.post(REGISTER, json=account("eve", setup_code=f"GUESS-{number}"))
            for number in range(20)
        ]
        answers = await asyncio.gather(*guesses)
        codes = Counter(answer.json()["code"] for answer in answers)
        assert codes == {"setup_code_required": 5, "too_many_attempts": 15}
        code = server.state["setup_code"].text
        right = await stranger.post(REGISTER, json=account("owner", setup_code=code))
        assert right.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "8.8.8.8"},
        {"Forwarded": "for=8.8.8.8;host=lab.example.org"},
        {"Host": "192.0.2.1"},
        {"X-Real-IP": "8.8.8.8", "X-Forwarded-Host": "localhost"},
        {"CF-Connecting-IP": "8.8.8.8"},
    ],
)
async def test_a_proxy_that_no_setting_names(settings: Settings, headers: dict[str, str]) -> None:
    """Its requests are those of strangers, whatever PYK8S_SIGNUP says."""
    told_once = settings.model_copy(update={"signup": "open"})
    async with serving(told_once) as server:
        async with browser_of(server, **headers) as stranger:
            problem(await stranger.post(REGISTER, json=account("eve")), 403, "setup_code_required")
            assert (await stranger.get("/api/v1/server")).json()["setup_code_required"] is True
        async with browser_of(server) as owner:
            assert (await owner.get("/api/v1/server")).json()["setup_code_required"] is False
            for name in ("owner", "second"):
                assert (await owner.post(REGISTER, json=account(name))).status_code == 201
        async with browser_of(server, **headers) as stranger:
            problem(await stranger.post(REGISTER, json=account("eve")), 403, "signup_closed")


async def test_an_origin_that_is_no_url_is_a_strangers(lab_server: LabServer) -> None:
    async with browser_of(lab_server, Origin="http://[") as stranger:
        told = await stranger.get("/api/v1/server")
        assert told.status_code == 200
        assert told.json()["setup_code_required"] is True
        ready = await stranger.get("/readyz?verbose")
        assert {check["detail"] for check in ready.json()["checks"]} == {WITHHELD}


async def test_the_code_can_be_demanded_on_loopback(settings: Settings) -> None:
    demanded = settings.model_copy(update={"setup_code": "always"})
    async with serving(demanded) as server, browser_of(server) as browser:
        problem(await browser.post(REGISTER, json=account("eve")), 403, "setup_code_required")
        code = server.state["setup_code"].text
        first = await browser.post(REGISTER, json=account("owner", setup_code=code))
        assert first.status_code == 201


async def test_many_first_persons_at_once(lab_server: LabServer) -> None:
    async with browser_of(lab_server) as browser:
        answers = await asyncio.gather(
            *(browser.post(REGISTER, json=account(f"user{number}")) for number in range(200))
        )
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] == 1
    codes = {answer.json()["code"] for answer in answers if answer.status_code != 201}
    assert codes <= {"signup_closed", "sign_in_busy"}
    assert statuses[403] >= 1
