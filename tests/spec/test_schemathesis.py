"""Schemathesis finds nothing but what `explained.json` explains: check, operation, text, reason."""

import asyncio
import json
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from server.config import Settings
from tests.integration.conftest import LabServer, sign_up
from tests.spec.tools import HERE, run

EXPLAINED: Final = json.loads((HERE / "explained.json").read_text("utf-8"))
LEFT_OUT: Final = ("accounts_logout", "accounts_revoke_token")
"""They would end the token that the run itself has; the rest would be answered with 401."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. `text`: the refusal, and the requests that led to it."""

    check: str
    operation: str
    text: str

    @property
    def reason(self) -> str | None:
        """Why it is none."""
        for each in EXPLAINED:
            is_of = each["check"] == self.check and re.fullmatch(each["operation"], self.operation)
            if is_of and re.search(each["text"], self.text, re.DOTALL):
                return str(each["reason"])
        return None


def findings(report: str, token: str) -> list[Finding]:
    """Read what was found from what the program prints."""
    found: list[Finding] = []
    operation = ""
    body = report.partition("= FAILURES =")[2].partition("= SUMMARY =")[0]
    for part in re.split(r"^(?=_{3,} |\d+\. Test Case ID)", body, flags=re.MULTILINE):
        if heading := re.match(r"_+ (.+?) _+$", part, re.MULTILINE):
            operation = heading[1]
        found += [
            Finding(check, operation, part.replace(token, "OURS"))
            for check in re.findall(r"^- (ST\d+) ", part, re.MULTILINE)
        ]
    return found


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_clusters_per_user": 1000})


async def check(server: LabServer, who: str, seed: int, folder: Path, *options: str) -> None:
    caller = await sign_up(server, who)
    await caller.http.aclose()
    ended = await asyncio.to_thread(
        run,
        *(Path(sys.executable).with_name("st"), "run", f"{server.base_url}/openapi.json"),
        *("--header", f"Authorization: Bearer {caller.token}", "--output-sanitize", "false"),
        *("--output-truncate", "false", "--no-color", "--continue-on-failure", "--seed", seed),
        *("--generation-database", "none", "--request-timeout", "30", *options),
        *(part for name in LEFT_OUT for part in ("--exclude-operation-id", name)),
        cwd=folder,
    )
    report = ended.stdout
    ended_well = "Test cases:" in report
    assert ended_well, f"{ended.returncode} {report[-3000:]} {ended.stderr[-3000:]}"
    found = findings(report, caller.token)
    told = re.search(r"^=+ (\d+) failures?", report, re.MULTILINE)
    assert len(found) == int(told[1] if told else 0), report[-3000:]
    unexplained = [each for each in found if each.reason is None]
    shown = "\n".join(f"{each.check} {each.operation}: {each.text[:1500]}" for each in unexplained)
    assert not unexplained, f"seed {seed}, {who}:\n{shown}"


async def test_a_short_run(lab_server: LabServer, tmp_path: Path) -> None:
    options = ("--phases", "examples,fuzzing", "--max-examples", "2", "--max-time", "15")
    await check(lab_server, "ann", 20261130, tmp_path, *options)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [20261130, None], ids=["fixed", "fresh"])
@pytest.mark.parametrize("who", ["admin", "bob", "eve"])
async def test_a_whole_run(
    lab_server: LabServer, tmp_path: Path, who: str, seed: int | None
) -> None:
    if who != "admin":
        first = await sign_up(lab_server, "admin")
        await first.http.aclose()
    wanted = random.SystemRandom().randrange(2**31) if seed is None else seed
    await check(lab_server, who, wanted, tmp_path, "--max-examples", "20", "--max-time", "60")


def test_what_nobody_explained_is_seen() -> None:
    report = """
=================================== FAILURES ===================================
_____________________________ GET /api/v1/auth/me ______________________________
1. Test Case ID: X5KfLk

- ST401 API accepts invalid authentication

    curl -X GET -H 'Authorization: Bearer secret' -H 'Cookie: 0' http://x/api/v1/auth/me

2. Test Case ID: X5KfLl

- ST401 API accepts invalid authentication

    curl -X GET -H 'Cookie: 0' http://x/api/v1/auth/me

____________________________ POST /api/v1/auth/login ___________________________
1. Test Case ID: X5KfLm

- ST101 Server error

    curl -X POST -d '{"username": "a"}' http://x/api/v1/auth/login
=================================== SUMMARY ====================================
"""
    found = findings(report, "secret")
    assert [(each.check, each.operation) for each in found] == [
        ("ST401", "GET /api/v1/auth/me"),
        ("ST401", "GET /api/v1/auth/me"),
        ("ST101", "POST /api/v1/auth/login"),
    ]
    assert [each.reason is None for each in found] == [False, True, True]
