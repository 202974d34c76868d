"""The command line as a program, against a whole server with the simulated driver."""

import asyncio
import json
import os
import pty
import re
import signal
import socket
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyk8s.client.kubeconfig_text import read
from server.config import Settings
from tests.integration.conftest import LabServer, serving
from tests.ports import free_port

REPOSITORY = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
DEADLINE = 60


@dataclass
class Done:
    code: int
    out: str
    err: str


@dataclass
class Shell:
    """A home of its own, and a server that the environment names."""

    home: Path
    url: str

    def environ(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(self.home),
            "PYK8S_URL": self.url,
            "TERM": "xterm",
            **more,
        }

    async def start(self, *argv: str, **more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pyk8s",
            *argv,
            env=self.environ(**more),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *argv: str, stdin: str = "", **more: str) -> Done:
        process = await self.start(*argv, **more)
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate(stdin.encode())
        assert b"Traceback" not in err, err.decode()
        return Done(process.returncode or 0, out.decode(), err.decode())

    async def ok(self, *argv: str, stdin: str = "") -> str:
        done = await self.run(*argv, stdin=stdin)
        assert done.code == 0, done.err
        return done.out


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings of a server that has a proxy."""
    return settings.model_copy(update={"proxy_port": free_port()})


@pytest.fixture
async def shell(lab_server: LabServer, tmp_path: Path) -> Shell:
    """A shell in which ada has signed up."""
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home, lab_server.base_url)
    await shell.ok("register", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")
    return shell


async def test_the_whole_job(shell: Shell) -> None:
    config = shell.home / ".config" / "pyk8s" / "config.toml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert PASSWORD not in config.read_text()

    created = await shell.run("create", "demo", "--ttl", "1h30m", "--label", "team=red", "--wait")
    assert created.code == 0
    assert created.out.startswith("demo is ready in ")
    assert "deleted in 90 min" in created.out
    assert "simulated" in created.out
    assert "simulated" in created.err
    steps = [line.split("  ")[0] for line in created.err.splitlines() if line.startswith("✓")]
    assert steps[:2] == ["✓ Node image", "✓ Nodes"]
    assert "\x1b" not in created.err, "plain lines without a terminal"

    document = json.loads(await shell.ok("get", "demo", "-o", "json"))
    assert (document["phase"], document["ttl_seconds"]) == ("ready", 5400)
    assert await shell.ok("list", "-q") == "demo\n"
    assert "simulated" in await shell.ok("list")
    log = await shell.ok("logs", "demo")
    assert "Ensuring node image" in log
    assert await shell.ok("logs", "demo", "-f") == log
    events = [
        json.loads(line) for line in (await shell.ok("events", "demo", "-o", "jsonl")).splitlines()
    ]
    assert [event["seq"] for event in events] == list(range(1, document["last_seq"] + 1))

    await shell.ok("kubeconfig", "merge", "demo")
    kubeconfig = shell.home / ".kube" / "config"
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    assert [context["name"] for context in read(kubeconfig.read_text())["contexts"]] == [
        "pyk8s-demo"
    ]

    await shell.ok("kubeconfig", "merge", "demo", "--exec")
    await _use_exec(shell, read(kubeconfig.read_text())["users"][0]["user"]["exec"])

    assert await shell.ok("delete", "demo", "--wait") == "demo is deleted\n"
    assert read(kubeconfig.read_text())["contexts"] == []
    assert await shell.ok("list", "-q") == ""


async def _use_exec(shell: Shell, called: Mapping[str, Any]) -> None:
    own = [argument for argument in called["args"] if argument not in {"-m", "pyk8s"}]
    first = json.loads(await shell.ok(*own))["status"]["token"]
    listed = json.loads(await shell.ok("kubeconfig", "list", "demo", "-o", "json"))["items"]
    assert [each["endpoint"] for each in listed] == ["proxy", "proxy"], "two merges"
    await shell.ok("kubeconfig", "revoke", "demo", "--all")
    assert json.loads(await shell.ok(*own))["status"]["token"] != first
    await shell.ok("logout", "--everywhere")
    done = await shell.run(*own)
    assert (done.code, done.out) == (4, "")
    await shell.ok("login", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")


async def test_the_first_account_with_the_setup_code(settings: Settings, tmp_path: Path) -> None:
    async with serving(settings.model_copy(update={"setup_code": "always"})) as server:
        shell = Shell(tmp_path, server.base_url)
        register = ("register", "ada", "--password-stdin")
        without = await shell.run(*register, stdin=f"{PASSWORD}\n")
        assert without.code == 2
        assert "--setup-code" in without.err
        wrong = await shell.run(*register, "--setup-code", "ABCDE", stdin=f"{PASSWORD}\n")
        assert wrong.code != 0
        assert "not the setup code" in wrong.err
        code = server.state["setup_code"].text
        await shell.ok(*register, "--setup-code", code.lower(), stdin=f"{PASSWORD}\n")
        assert "ada (admin)" in await shell.ok("whoami")


async def test_sign_in_and_out(shell: Shell) -> None:
    assert "ada (admin)" in await shell.ok("whoami")
    await shell.ok("logout")
    assert (await shell.run("list")).code == 4
    wrong = await shell.run("login", "ada", "--password-stdin", stdin="wrong words\n")
    assert (wrong.code, wrong.out) == (4, "")
    await shell.ok("login", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")
    secret = (await shell.ok("tokens", "create", "ci", "--expires", "1d")).strip()
    assert secret.startswith("pyk8s_")
    elsewhere = Shell(shell.home / "elsewhere", shell.url)
    assert (await elsewhere.run("list")).code == 4
    assert (await elsewhere.run("list", PYK8S_TOKEN=secret)).code == 0
    await shell.ok("tokens", "revoke", "ci")
    assert (await elsewhere.run("list", PYK8S_TOKEN=secret)).code == 4


async def test_bad_input_ends_with_its_code_and_the_way_out(shell: Shell) -> None:
    await shell.ok("create", "taken", "--no-wait")
    cases = (
        ("create Bad_Name", 2, "name"),
        ("create x --template nonsense", 2, "template"),
        ("create x --workers 99", 2, "workers"),
        ("create taken", 5, "taken"),
        ("get nobody", 3, "nobody"),
        ("delete nobody", 3, "pyk8s list"),
        ("tokens create x --scope nonsense", 2, "scope"),
        ("create fails --label simulate=fail-start", 8, "fix"),
        ("create slow --label simulate=hang --timeout 1s", 7, "It goes on"),
    )
    all_done = await asyncio.gather(*(shell.run(*command.split()) for command, _, _ in cases))
    for (command, code, words), done in zip(cases, all_done, strict=True):
        assert (done.code, done.out) == (code, ""), f"{command}: {done.err}"
        assert words in done.err, command


async def test_ctrl_c_says_that_the_cluster_goes_on(shell: Shell) -> None:
    process = await shell.start("create", "slow", "--label", "simulate=hang")
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE):
        assert b"Creating slow" in await process.stderr.readline()
        await process.stderr.readline()  # the first step: it waits now
        process.send_signal(signal.SIGINT)
        err = (await process.stderr.read()).decode()
        assert await process.wait() == 130
    assert "slow goes on without you." in err
    assert "pyk8s logs -f slow" in err
    assert "pyk8s delete slow" in err
    assert await shell.ok("list", "-q") == "slow\n"


async def test_a_terminal_sees_a_moving_line_and_no_colour_without_colours(shell: Shell) -> None:
    moving = await _on_a_terminal(shell, "create", "a")
    assert "\x1b[" in moving
    assert "✓" in moving
    assert not any(0x2500 <= ord(c) <= 0x257F for c in moving), "no box drawing"
    listed = await _on_a_terminal(shell, "list", NO_COLOR="1")
    assert "\x1b[3" not in listed
    words = re.sub(r"\x1b\[[0-9;]*m", "", listed)
    assert max(len(line) for line in words.splitlines()) <= 80


async def _on_a_terminal(shell: Shell, *argv: str, **more: str) -> str:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pyk8s",
        *argv,
        env=shell.environ(COLUMNS="80", **more),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = bytearray()
    done = asyncio.Event()

    def readable() -> None:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says so when the last writer is gone
            piece = b""
        seen.extend(piece)
        if not piece:
            loop.remove_reader(ours)
            done.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(ours, readable)
    async with asyncio.timeout(DEADLINE):
        await done.wait()
        assert await process.wait() == 0
    os.close(ours)
    return seen.decode()


async def test_names_are_completed(shell: Shell) -> None:
    await shell.ok("create", "demo", "--no-wait", "-q")
    done = await shell.run(
        _PYK8S_COMPLETE="complete_bash", COMP_WORDS="pyk8s get de", COMP_CWORD="2"
    )
    assert done.out.split() == ["demo"]


async def test_up_runs_a_server_until_it_is_told_to_stop(database_url: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, "http://127.0.0.1:9")
    port = free_port()
    process = await shell.start(
        "up",
        "--port",
        str(port),
        "--driver",
        "simulated",
        PYK8S_DATABASE_URL=database_url,
        PYK8S_DATA_DIR=str(tmp_path / "data"),
    )
    assert process.stderr is not None
    told: list[str] = []
    async with asyncio.timeout(DEADLINE):
        while not any("create demo" in line for line in told):
            line = await process.stderr.readline()
            assert line, told
            told.append(line.decode())
        assert any(f"http://localhost:{port}" in line for line in told)
        done = await shell.run("--url", f"http://127.0.0.1:{port}", "list")
        assert done.code == 4
        process.send_signal(signal.SIGTERM)
        await process.stderr.read()
        assert await process.wait() == 0


async def test_up_says_that_its_port_is_taken(database_url: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await shell.run(
            "up",
            "--port",
            str(port),
            PYK8S_DATABASE_URL=database_url,
            PYK8S_DATA_DIR=str(tmp_path / "data"),
            PYK8S_DRIVER="simulated",
            PYK8S_PROXY_PORT="0",
            PYK8S_APPS_PORT="0",
        )
    assert done.code == 1
    assert f"port {port} already" in done.err
    assert f"pyk8s up --port {port + 1}" in done.err
    assert "is up" not in done.err


async def test_a_create_is_cancelled_tried_again_and_extended(shell: Shell) -> None:
    await shell.ok("create", "stuck", "--no-wait", "--label", "simulate=hang")
    assert (await shell.run("extend", "stuck", "1h")).code == 5
    assert "pyk8s retry stuck" in await shell.ok("cancel", "stuck")
    assert (await shell.run("cancel", "stuck")).code == 5
    again = json.loads(await shell.ok("retry", "stuck", "--no-wait", "-o", "json"))
    assert again["phase"] == "pending"
    await shell.ok("create", "fine")
    assert await shell.ok("extend", "fine", "1h", "-o", "name") == "fine\n"


async def test_a_failure_names_its_evidence_and_doctor_finds_all_well(shell: Shell) -> None:
    failed = await shell.run("create", "demo", "--label", "simulate=fail-start")
    assert failed.code == 8
    assert "pyk8s evidence demo" in failed.err
    assert "pyk8s evidence demo" in await shell.ok("get", "demo")
    target = shell.home / "evidence.tar.gz"
    assert await shell.ok("evidence", "demo", "-f", str(target)) == f"{target}\n"
    assert target.read_bytes()[:2] == b"\x1f\x8b"
    nowhere = await shell.run("evidence", "demo", "-f", str(shell.home / "no" / "file"))
    assert nowhere.code == 1
    assert "cannot be written" in nowhere.err

    examined = await shell.ok("doctor")
    assert "signed in as ada" in examined
    assert "✓ server/postgresql" in examined
    assert "✓ time" in examined


async def test_an_admin_looks_at_drift(shell: Shell) -> None:
    await shell.ok("create", "seen")
    token = await shell.ok("tokens", "create", "all", "--scope", "admin", "-q")
    async with asyncio.timeout(DEADLINE):
        while True:
            done = await shell.run("admin", "drift", PYK8S_TOKEN=token.strip())
            assert done.code == 0, done.err
            if "seen" in done.out:
                break
            await asyncio.sleep(1)  # told anew every 15 s; each look is a program of its own
    assert "Nothing differs" in done.err
    repaired = await shell.run("admin", "drift", "--repair", "--yes", PYK8S_TOKEN=token.strip())
    assert repaired.code == 0, repaired.err
