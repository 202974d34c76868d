"""The sample clients of docs/reference/protocol.md survive cut connections and a restart."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from server.config import Settings
from tests.docs.cutting import Relay
from tests.integration.conftest import serving, sign_up

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "protocol.md").read_text("utf-8")
CUTS = 2
AFTER_BYTES = 3000  # the handshake, `hello`, and some events


def code(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def commands(folder: Path) -> dict[str, list[str]]:
    """Give how each client of the page is started, of those that this machine can run."""
    [python], [javascript], [sse, _] = code("python"), code("javascript"), code("sh")
    found = {"python": [sys.executable, "-c", python]}
    node = shutil.which("node")
    if node is not None:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
        major = int(told.stdout.lstrip("v").partition(".")[0])
        script = folder / "client.mjs"
        script.write_text(javascript)
        if major >= 20:
            option = ["--experimental-websocket"] if major < 22 else []
            found["javascript"] = [node, "--no-warnings", *option, str(script)]
    if shutil.which("curl") is not None and os.name == "posix":
        found["curl"] = ["sh", "-c", sse, "sh"]
    return found


@dataclass(slots=True)
class Client:
    """A sample client that runs."""

    process: asyncio.subprocess.Process
    relay: Relay
    printed: Path
    complaints: Path

    @property
    def count(self) -> int:
        """How many lines are printed to their end."""
        return self.printed.read_bytes().count(b"\n")

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.printed.read_text("utf-8").splitlines()]


def folder_of(parent: Path, name: str) -> Path:
    home = parent / name
    home.mkdir()
    return home


async def start(
    command: list[str], cluster_id: str, relay: Relay, token: str, home: Path
) -> Client:
    printed, complaints = home / "printed", home / "complaints"
    with printed.open("wb") as out, complaints.open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *command,
            cluster_id,
            cwd=home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "PYK8S_URL": relay.base_url,
                "PYK8S_TOKEN": token,
                "no_proxy": "127.0.0.1",
            },
            stdout=out,
            stderr=err,
        )
    return Client(process, relay, printed, complaints)


async def follow_log(base_url: str, token: str, cluster_id: str) -> str | None:
    """Run the page's command for people."""
    if shutil.which("curl") is None:
        return None
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", code("sh")[1], "sh", cluster_id),
        env={
            "PATH": os.environ["PATH"],
            "PYK8S_URL": base_url,
            "PYK8S_TOKEN": token,
            "no_proxy": "127.0.0.1",
        },
        stdout=subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        told, _ = await process.communicate()
    assert process.returncode == 0
    return told.decode()


def said(seq: int, kind: str = "note", **data: Any) -> dict[str, Any]:
    at = "2026-01-01T00:00:00.000000Z"
    return {"seq": seq, "type": kind, "version": 1, "at": at, "data": data}


EXPIRED = [said(1), said(9, "log_expired", **{"from": 2, "to": 9}), said(10, "unheard_of")]
GAP = [said(1), said(9, "log_expired", **{"from": 4, "to": 9}), said(10)]


@pytest.mark.parametrize(("sent", "is_whole"), [(EXPIRED, True), (GAP, False)])
async def test_only_lines_that_were_given_up_close_a_gap(
    sent: list[dict[str, Any]], is_whole: bool, tmp_path: Path
) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "hello", "epoch": "e", "heartbeat_seconds": 10}))
        topic = json.loads(await socket.recv())["topic"]
        for number in (0, 0, 1, 2):  # the first comes twice: it counts once
            events = {"type": "events", "topic": topic, "events": [sent[number]]}
            await socket.send(json.dumps(events))
        await socket.send(json.dumps({"type": "end", "topic": topic, "seq": 10}))
        await socket.wait_closed()

    runs = {name: command for name, command in commands(tmp_path).items() if name != "curl"}
    async with (
        serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("pyk8s.v1")]) as server,
        AsyncExitStack() as stack,
    ):
        port: int = next(iter(server.sockets)).getsockname()[1]
        for name, command in runs.items():
            relay = await stack.enter_async_context(Relay.to(port, cuts=0, after_bytes=0))
            client = await start(command, "x", relay, "pyk8s_x", folder_of(tmp_path, name))
            stack.push_async_callback(stop, client)
            async with asyncio.timeout(60):
                await client.process.wait()
            complaint = client.complaints.read_text("utf-8")
            assert (client.process.returncode == 0) is is_whole, f"{name}: {complaint}"
            assert client.events == (sent if is_whole else sent[:1]), name
            assert ("a gap after 1" in complaint) is not is_whole, name


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.05)


async def stop(client: Client) -> None:
    if client.process.returncode is None:
        client.process.kill()
        await client.process.wait()


async def test_they_stop_where_trying_again_would_not_help(
    settings: Settings, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(settings))
        for name, command in commands(tmp_path).items():
            relay = await stack.enter_async_context(Relay.to(settings.port, cuts=0, after_bytes=0))
            client = await start(command, "x", relay, "pyk8s_wrong", folder_of(tmp_path, name))
            stack.push_async_callback(stop, client)
            async with asyncio.timeout(60):
                assert await client.process.wait() != 0, name
            assert client.complaints.read_text("utf-8") != "", name


async def test_they_lose_nothing(settings: Settings, tmp_path: Path) -> None:
    clients: dict[str, Client] = {}
    async with AsyncExitStack() as stack:
        async with serving(settings) as server:
            caller = await sign_up(server, "ann")
            stack.push_async_callback(caller.http.aclose)
            cluster = await caller.create(name="demo")
            for name, command in commands(tmp_path).items():
                relay = await stack.enter_async_context(
                    Relay.to(settings.port, cuts=CUTS, after_bytes=AFTER_BYTES)
                )
                home = folder_of(tmp_path, name)
                client = await start(command, cluster["id"], relay, caller.token, home)
                stack.push_async_callback(stop, client)
                clients[name] = client
            ready = await caller.until("demo", "ready")
            await until(lambda: all(each.count >= ready["last_seq"] for each in clients.values()))
        async with serving(settings):
            assert (await caller.http.delete("/api/v1/clusters/demo")).status_code == 202
            async with asyncio.timeout(60):
                for client in clients.values():
                    await client.process.wait()
            page = await caller.http.get(f"/api/v1/clusters/{cluster['id']}/events?limit=5000")
            followed = await follow_log(caller.base_url, caller.token, cluster["id"])
    stored = page.json()
    assert stored["end"]
    for name, client in clients.items():
        assert client.process.returncode == 0, f"{name}: {client.complaints.read_text()}"
        assert client.relay.cuts == CUTS, name
        assert client.events == stored["items"], name
    lines = [each["data"] for each in stored["items"] if each["type"] == "log_line"]
    if followed is not None:
        assert followed == "".join(line["text"] + ("" if line["cont"] else "\n") for line in lines)
