"""`pyk8s shell` and the SDK's terminal, against a whole server with the simulated shell."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import sys
import termios

import pytest

from pyk8s.client.lab import Lab
from tests.integration.conftest import Caller
from tests.integration.test_cli import Shell

CUTS = 3
PROMPT = b"(simulated)$ "


async def test_a_program_takes_all_of_a_flood_across_lost_connections(ann: Caller) -> None:
    await ann.create(name="demo")
    await ann.until("demo", "ready")
    heard: list[str] = []
    async with Lab(ann.base_url, token=ann.token) as lab:
        cluster = await lab.clusters.get("demo")
        terminal = cluster.terminal(on_state=lambda state: heard.append(type(state).__name__))
        got, cuts, is_asked = b"", 0, False
        is_over = asyncio.Event()

        async def end() -> None:
            """Type the last line when the flood is over: before, its echo would fall into the
            middle of another. Again and again: what a lost connection is told is lost."""
            await is_over.wait()
            while terminal.ended is None:
                await terminal.write(b"exit 3\r")
                await asyncio.sleep(1)

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(end())
            async for data in terminal.output():
                got += data
                if not is_asked and PROMPT in got:  # it may come in a piece of its own
                    is_asked = True
                    await terminal.write(b"lines 40000\r")
                if b"line 40000\r\n" in got[-200_000:]:
                    is_over.set()
                elif cuts < CUTS and len(got) > (cuts + 1) * 100_000:
                    cuts += 1
                    assert terminal._socket is not None
                    terminal._socket.transport.abort()
        assert terminal.ended is not None
        assert terminal.ended.code == 3
    lines = got.replace(b"\r", b"").splitlines()
    numbers = [line for line in lines if line.startswith(b"line ")]
    assert numbers == [b"line %d" % n for n in range(1, 40_001)]
    assert terminal.lost_bytes == 0
    assert cuts == CUTS
    assert heard[:2] == ["Reconnecting", "Connected"]


@pytest.fixture
async def signed_in(ann: Caller, tmp_path: os.PathLike[str]) -> Shell:
    """A shell of ann's, with a cluster that is ready."""
    await ann.create(name="demo")
    await ann.until("demo", "ready")
    return Shell(tmp_path, ann.base_url)  # type: ignore[arg-type]


async def test_the_exit_code_of_the_shell_becomes_that_of_the_command(
    ann: Caller, signed_in: Shell
) -> None:
    token = {"PYK8S_TOKEN": ann.token}
    done = await signed_in.run("shell", "demo", stdin="echo from a pipe\n", **token)
    assert done.code == 0, done.err
    # The terminal may show what is typed next before this was carried out.
    assert re.search(r"(?<!echo )from a pipe\r\n", done.out), done.out
    done = await signed_in.run("shell", "demo", stdin="exit 7\n", **token)
    assert done.code == 7, done.err
    done = await signed_in.run("shell", "nowhere", stdin="", **token)
    assert done.code == 3
    assert "nowhere" in done.err
    done = await signed_in.run("shell", "demo", "--pod", "nonsense", stdin="", **token)
    assert done.code == 2
    assert "NAMESPACE/NAME" in done.err


async def test_on_a_terminal_it_resizes_and_can_be_left(ann: Caller, signed_in: Shell) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 101, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pyk8s", "shell", "demo"),
        env=signed_in.environ(PYK8S_TOKEN=ann.token),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    seen = b""

    async def until(text: bytes) -> None:
        nonlocal seen
        async with asyncio.timeout(60):
            while text not in seen:
                try:
                    seen += os.read(ours, 65536)
                except BlockingIOError:
                    await asyncio.sleep(0.02)

    try:
        await until(PROMPT)
        os.write(ours, b"size\r")
        await until(b"31 rows, 101 columns")
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 122, 0, 0))
        process.send_signal(28)  # SIGWINCH: the kernel tells only who has a controlling terminal
        await until(b"44 rows, 122 columns")
        os.write(ours, b"\x1d")
        await until(b"--session ")
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
    listed = (await ann.http.get("/api/v1/clusters/demo/terminals")).json()["items"]
    assert len(listed) == 1, "it lives on"
