"""doctor: what is wrong, how to mend it, and what a script learns."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from pyk8s.cli.doctor import kubectl_check, time_check
from tests.unit.cli.conftest import Api, Cli

DISK = {"name": "disk", "ok": True, "detail": "9 GiB free", "fix": None, "required": True}
LOW = {**DISK, "ok": False, "detail": "1 GiB free", "fix": "free space"}


def api(*checks: dict[str, Any], skew_seconds: float = 0, me: int = 200) -> Api:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/readyz":
            ok = all(check["ok"] for check in checks)
            body = {
                "status": "ok" if ok else "unready",
                "version": "0.1.0",
                "driver": "kind",
                "checks": checks,
            }
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=skew_seconds))
            return httpx.Response(200 if ok else 503, json=body, headers={"Date": date})
        assert request.url.path == "/api/v1/auth/me"
        return httpx.Response(me, json={})

    return answer


def test_a_server_that_fails_a_check_is_told_with_the_fix(cli: Cli) -> None:
    cli.api = api(LOW)
    done = cli("doctor")
    assert done.code == 1
    assert "server/disk" in done.out
    assert "fix  free space" in done.out


def test_as_json_each_check_is_an_item(cli: Cli) -> None:
    cli.api = api(DISK, skew_seconds=90)
    done = cli("doctor", "-o", "json")
    checks = {check["name"]: check for check in json.loads(done.out)["items"]}
    assert checks["server/disk"]["ok"]
    assert checks["server"]["ok"]
    assert not checks["time"]["ok"]
    assert checks["login"]["fix"] == "pyk8s login"
    assert done.code == 1, "nobody is signed in"


def test_without_a_server_it_says_so(cli: Cli) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    cli.api = nobody
    done = cli("doctor")
    assert done.code == 9
    assert "No server answers" in done.out
    assert "pyk8s up" in done.out


@pytest.mark.parametrize(("skew", "ok"), [(0, True), (4.9, True), (-4.9, True), (6, False)])
def test_clocks(skew: float, *, ok: bool) -> None:
    assert time_check(skew).ok is ok
    assert time_check(None).ok


def test_kubectl_is_advised_only() -> None:
    missing = kubectl_check(None)
    assert not missing.ok
    assert not missing.required
    assert missing.fix
