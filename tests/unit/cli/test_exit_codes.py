"""Every exit code of the documentation, from what the server says."""

import asyncio
import json

import httpx
import pytest

from pyk8s.cli import exits
from pyk8s.cli.exits import exit_code
from pyk8s.client.errors import ConfigProblem, GapDetected, LabError, StreamRefused
from tests.unit.cli.conftest import Cli, Run, problem
from tests.unit.client.scripted import Act, Conversation, cluster_document, event, phase, scripted


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (
            problem(422, "validation", errors=[{"field": "workers", "message": "at most 5"}]),
            2,
            "workers: at most 5",
        ),
        (problem(404, "not_found"), 3, "About not_found."),
        (problem(401, "unauthenticated"), 4, "pyk8s login"),
        (problem(403, "forbidden"), 4, "About forbidden."),
        (problem(429, "too_many_attempts"), 4, "About too_many_attempts."),
        (problem(409, "name_taken", fix="Choose another name."), 5, "Fix: Choose another name."),
        (problem(410, "gone"), 5, "About gone."),
        (problem(429, "quota_exceeded"), 6, "About quota_exceeded."),
        (problem(503, "no_provisioner"), 6, "About no_provisioner."),
        (problem(503, "unavailable"), 9, "About unavailable."),
        (problem(503, "database_restarting"), 9, "About database_restarting."),
        (problem(503, "database_full"), 9, "About database_full."),
        (problem(503, "database_busy"), 6, "About database_busy."),
        (problem(500, "internal"), 1, "About internal."),
        (httpx.Response(502), 9, "the server behind it does not"),
        (httpx.Response(200, text="<html>"), 9, "is not a PyK8s-Lab server"),
    ],
)
def test_what_the_server_refuses(cli: Cli, answer: httpx.Response, code: int, words: str) -> None:
    cli.api = lambda request: httpx.Response(
        answer.status_code, content=answer.content, headers=answer.headers
    )
    run = cli("create", "demo")
    assert (run.code, run.out) == (code, "")
    assert words in run.err
    assert "Traceback" not in run.err


def test_what_is_wrong_with_a_field_is_said_once(cli: Cli) -> None:
    errors = [{"field": "workers", "message": "at most 5"}, {"field": "name", "message": "taken"}]
    cli.api = lambda _: problem(422, "validation", detail="workers: at most 5", errors=errors)
    run = cli("create", "demo")
    assert run.err.count("workers: at most 5") == 1
    assert "  name: taken" in run.err


def test_nobody_answers(cli: Cli) -> None:
    run = cli("list")
    assert run.code == exits.UNREACHABLE
    assert "No server answers at http://127.0.0.1:1." in run.err
    assert "pyk8s up" in run.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["creat"], "Did you mean 'create'"),
        (["kubeconfig", "mergee"], "Did you mean 'merge'?"),
        (["create", "demo", "--ttl", "soon"], "Write it like 30m"),
        (["create", "demo", "--label", "red"], "write it like team=red"),
        (["list", "--output", "xml"], "xml"),
        (["list", "--url", "ftp://x"], "is not the address of a server"),
        (["get"], "NAME"),
        (["login", "ada"], "--password-stdin"),
        (["login", "--password-stdin"], "user name"),
        (["login", "ada", "--password-stdin"], "holds no password"),
        (["login", "ada", "--password", "x"], "No such option"),
    ],
)
def test_wrong_usage(cli: Cli, argv: list[str], words: str) -> None:
    run = cli(*argv, stdin="")
    assert run.code == exits.USAGE
    assert words.lower() in " ".join(run.err.split()).lower()


async def test_a_wait_that_takes_too_long(cli: Cli) -> None:
    async def silent(talk: Conversation) -> None:
        await talk.socket.wait_closed()

    run = await _create(cli, silent, "--timeout", "1s")
    assert run.code == exits.TIMEOUT
    assert "after 1 s. It goes on." in run.err


async def test_a_cluster_that_fails(cli: Cli) -> None:
    failure = {
        "code": "disk_full",
        "title": "The disk is full",
        "cause": "No space is left for the node.",
        "fix": "Free 2 GiB.",
        "evidence": [{"seq": n, "text": f"quoted {n}"} for n in range(1, 6)],
    }

    async def failing(talk: Conversation) -> None:
        await talk.events(
            event(2, "failure_explained", **failure), phase(3, "provisioning", "failed")
        )
        await talk.socket.wait_closed()

    run = await _create(cli, failing)
    assert run.code == exits.CLUSTER_FAILED
    assert run.out == ""
    for words in ("The disk is full", "No space is left", "Free 2 GiB.", "pyk8s logs demo"):
        assert words in run.err
    quoted = [line for line in run.err.splitlines() if "quoted" in line]
    assert [line.split()[0] for line in quoted] == ["3", "4", "5"], "the last three, with their seq"


async def test_a_cluster_that_is_deleted_while_waiting(cli: Cli) -> None:
    async def deleting(talk: Conversation) -> None:
        await talk.events(phase(2, "provisioning", "deleting"))
        await talk.socket.wait_closed()

    run = await _create(cli, deleting)
    assert run.code == exits.CLUSTER_FAILED
    assert "it will not come back" in run.err


async def _create(cli: Cli, act: Act, *options: str) -> Run:
    cli.api = lambda request: httpx.Response(
        200,
        json={"items": []} if request.url.path.endswith("/templates") else cluster_document(),
    )
    async with scripted([act]) as script:
        cli.url = script.url
        return await asyncio.to_thread(cli, "create", "demo", *options)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StreamRefused(4501, "x"), exits.AUTH),
        (StreamRefused(4503, "x"), exits.AUTH),
        (StreamRefused(4504, "x"), exits.NOT_FOUND),
        (StreamRefused(4510, "x"), exits.OTHER),
        (StreamRefused("no_such_topic", "x"), exits.OTHER),
        (GapDetected(last=1, received=3), exits.OTHER),
        (ConfigProblem("x"), exits.USAGE),
    ],
)
def test_what_the_stream_and_the_machine_refuse(error: LabError, code: int) -> None:
    assert exit_code(error) == code


def test_each_code_has_a_meaning() -> None:
    codes = {
        value
        for name, value in vars(exits).items()
        if name.isupper() and name[0] != "_" and isinstance(value, int)
    }
    assert codes == set(exits.MEANING)
    assert json.dumps(exits.MEANING)
