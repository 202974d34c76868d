import json

import httpx
import pytest
from ruamel.yaml import YAML

from tests.unit.cli.conftest import Cli
from tests.unit.client.scripted import cluster_document, event

DEMO = cluster_document(name="demo", a_newer_field={"deep": ["ü"]})
OTHER = cluster_document(name="other", driver="simulated", phase="ready")


@pytest.fixture
def lab(cli: Cli) -> Cli:
    def api(request: httpx.Request) -> httpx.Response:
        match request.url.path.removeprefix("/api/v1"):
            case "/clusters":
                return httpx.Response(200, json={"items": [DEMO, OTHER], "next_cursor": None})
            case "/clusters/demo":
                return httpx.Response(200, json=DEMO)
            case "/clusters/other":
                return httpx.Response(200, json=OTHER)
            case path if path.endswith("/events"):
                page = {"items": [event(1), event(2, "teleported", to="moon")], "next_after": 2}
                return httpx.Response(200, json={**page, "end": True})
            case path if path.endswith("/log"):
                return httpx.Response(200, text="\x1b[31mred\x1b[0m\x1b[2J\n")
            case path:
                raise AssertionError(path)

    cli.api = api
    return cli


def test_json_is_the_apis_own_with_fields_that_this_version_does_not_know(lab: Cli) -> None:
    assert json.loads(lab("get", "demo", "-o", "json").out) == DEMO
    assert json.loads(lab("list", "-o", "json").out)["items"] == [DEMO, OTHER]


def test_the_other_formats(lab: Cli) -> None:
    assert [json.loads(line) for line in lab("list", "-o", "jsonl").out.splitlines()] == [
        DEMO,
        OTHER,
    ]
    assert YAML(typ="safe", pure=True).load(lab("get", "demo", "-o", "yaml").out)["name"] == "demo"
    assert lab("list", "-o", "name").out == "demo\nother\n"
    assert lab("list", "-q").out == "demo\nother\n"


def test_global_options_may_stand_before_and_behind_the_command(lab: Cli) -> None:
    assert lab("-o", "name", "list").out == lab("list", "-o", "name").out
    assert json.loads(lab("-o", "name", "list", "-o", "json").out), "the nearer one counts"


def test_a_table_has_no_boxes_and_names_the_simulated(lab: Cli) -> None:
    run = lab("list")
    heading, *rows = run.out.splitlines()
    assert heading.split() == [
        "NAME",
        "PHASE",
        "DRIVER",
        "TEMPLATE",
        "VERSION",
        "NODES",
        "AGE",
        "LEFT",
    ]
    assert [row.split()[:3] for row in rows] == [
        ["demo", "pending", "kind"],
        ["other", "ready", "simulated"],
    ]
    assert run.err == ""
    assert all(ord(c) < 0x2500 or ord(c) > 0x257F for c in run.out), "no box drawing"
    assert "\x1b" not in run.out, "no colours where nobody looks"


def test_get_names_the_simulated(lab: Cli) -> None:
    assert "simulated" in lab("get", "other").out.splitlines()[0]
    assert "simulated" not in lab("get", "demo").out


def test_an_empty_list_says_what_to_do_and_prints_nothing(cli: Cli) -> None:
    cli.api = lambda request: httpx.Response(200, json={"items": [], "next_cursor": None})
    run = cli("list")
    assert (run.code, run.out) == (0, "")
    assert "pyk8s create demo" in run.err


def test_events_in_every_format(lab: Cli) -> None:
    table = lab("events", "demo").out.splitlines()
    assert table[0].split() == ["1", "03:04:05Z", "log_line", "line", "1"]
    assert table[1].split()[2:] == ["teleported", "to", "moon"]
    assert json.loads(lab("events", "demo", "-o", "json").out) == [
        event(1),
        event(2, "teleported", to="moon"),
    ]
    assert len(lab("events", "demo", "-o", "jsonl").out.splitlines()) == 2


def test_logs_cannot_command_the_terminal(lab: Cli) -> None:
    assert lab("logs", "demo").out == "red[2J\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(cli: Cli, shell: str) -> None:
    run = cli("completion", shell)
    assert run.code == 0
    assert "_PYK8S_COMPLETE" in run.out


def test_help_has_no_boxes_and_names_every_command(cli: Cli) -> None:
    out = cli("--help").out
    for name in ("up", "login", "create", "logs", "events", "kubeconfig", "tokens", "completion"):
        assert f"  {name} " in out
    assert not any(0x2500 <= ord(c) <= 0x257F for c in out)
