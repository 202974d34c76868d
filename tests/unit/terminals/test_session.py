"""A terminal's session with a shell that the test plays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import anyio
import anyio.lowlevel
import pytest

from server.terminals import session as sessions
from server.terminals.session import (
    CHUNK_BYTES,
    HOLD_BYTES,
    WINDOW_BYTES,
    Client,
    Ending,
    Owner,
    Session,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class PlayedShell:
    """Puts out what the test says, types into a list."""

    def __init__(self) -> None:
        self.say, self._said = anyio.create_memory_object_stream[bytes](10_000)
        self.typed: list[bytes] = []
        self.reads = 0
        self.sizes: list[tuple[int, int]] = []
        self.closed = 0
        self.takes_input = True

    async def read(self) -> bytes:
        self.reads += 1
        return await self._said.receive()

    async def write(self, data: bytes) -> None:
        if not self.takes_input:
            await anyio.sleep_forever()
        self.typed.append(data)

    async def resize(self, rows: int, cols: int) -> None:
        self.sizes.append((rows, cols))

    async def exit_code(self) -> int | None:
        return 3

    async def close(self) -> None:
        self.closed += 1
        self.say.close()
        self._said.close()


@asynccontextmanager
async def running(shell: PlayedShell, **options: Any) -> AsyncIterator[Session]:
    session = Session(
        uuid4(),
        Owner(uuid4(), uuid4(), uuid4()),
        shell,
        title="demo",
        pod=None,
        clock=lambda: 7.0,
        now=lambda: NOW,
        **options,
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run)
        yield session
        tasks.cancel_scope.cancel()


async def take(session: Session, client: Client) -> bytes:
    with anyio.fail_after(10):
        data = await session.next_output(client)
    assert isinstance(data, bytes)
    session.taken(client, len(data))
    return data


async def settled(shell: PlayedShell) -> int:
    """Let the session read as far as it wants."""
    before = -1
    while before != shell.reads:
        before = shell.reads
        await anyio.wait_all_tasks_blocked()
    return before


async def test_it_ends_with_its_shell_and_tells_the_code_after_all_output() -> None:
    shell = PlayedShell()
    async with running(shell) as session:
        with session.attached(None) as (client, lost):
            await shell.say.send(b"hello")
            await shell.say.send(b"")
            assert (await take(session, client), lost) == (b"hello", 0)
            assert await session.next_output(client) == Ending("exited", 3)
        assert shell.closed == 1
        with session.attached(2) as (late, _):
            assert await take(session, late) == b"llo"
            assert await session.next_output(late) == Ending("exited", 3)


async def test_it_reads_on_without_a_client_and_tells_what_is_lost() -> None:
    shell = PlayedShell()
    async with running(shell, ring_bytes=1000) as session:
        for _ in range(30):
            await shell.say.send(b"x" * 100)
        await settled(shell)
        with session.attached(500) as (client, lost):
            assert (client.sent, lost) == (2000, 1500)
            assert len(await take(session, client)) == 1000
        with session.attached(None) as (client, lost):
            assert (client.sent, lost) == (2000, 0)
        with pytest.raises(ValueError, match="3000 bytes, not 3001"), session.attached(3001):
            pass
        assert session.left_alone_at == 7.0


async def test_a_slow_client_holds_the_shell_and_loses_nothing() -> None:
    shell = PlayedShell()
    piece = bytes(range(256)) * 64
    async with running(shell) as session:
        with session.attached(None) as (client, _):
            for _ in range(200):
                await shell.say.send(piece)
            held = await settled(shell)
            # One piece is in the hand of the session, which has not put it down.
            assert (held - 1) * len(piece) <= HOLD_BYTES + len(piece)
            got = b""
            while len(got) < 200 * len(piece):
                got += await take(session, client)
            assert got == piece * 200


async def test_one_who_begins_with_the_oldest_byte_loses_none_to_what_comes() -> None:
    shell = PlayedShell()
    async with running(shell) as session:
        everything = b"".join(n.to_bytes(4, "big") for n in range(2**19))
        for first in range(0, 2**20, 2**15):
            await shell.say.send(everything[first : first + 2**15])
        await settled(shell)
        with session.attached(None) as (client, lost):
            assert (client.sent, lost) == (0, 0)
            for first in range(2**20, 2**21, 2**15):
                await shell.say.send(everything[first : first + 2**15])
            got = b""
            while len(got) < 2**21:
                got += await take(session, client)
            assert got == everything


async def test_who_acknowledges_is_sent_no_more_than_the_window() -> None:
    shell = PlayedShell()
    async with running(shell, unseen_bytes_per_second=1e12) as session:
        for _ in range(40):
            await shell.say.send(b"x" * 20_000)
        await settled(shell)
        with session.attached(None) as (client, _):
            session.acknowledged(client, 0)
            while client.sent < WINDOW_BYTES:
                await take(session, client)
            with anyio.move_on_after(0.05) as patience:
                await session.next_output(client)
            assert patience.cancelled_caught
            session.acknowledged(client, 10**9)  # more than there is
            assert client.acknowledged == client.sent
            assert len(await take(session, client)) == CHUNK_BYTES


async def test_who_holds_the_shell_up_for_too_long_is_let_go_and_others_go_on() -> None:
    shell = PlayedShell()
    async with running(shell, slow_seconds=0.05) as session:
        with session.attached(None) as (stuck, _), session.attached(None) as (quick, _):
            for _ in range(100):
                await shell.say.send(b"x" * 16_384)
            got = 0
            while got < 100 * 16_384:
                got += len(await take(session, quick))
            with pytest.raises(TimeoutError):
                await session.next_output(stuck)


async def test_input_waits_for_the_shell_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = PlayedShell()
    monkeypatch.setattr(sessions, "INPUT_SECONDS", 0.05)
    async with running(shell) as session:
        assert session.last_input_at is None
        await session.type(b"ls\r")
        await anyio.wait_all_tasks_blocked()
        assert shell.typed == [b"ls\r"]
        assert session.last_input_at == NOW
        shell.takes_input = False
        with pytest.raises(sessions.InputNotTaken):
            for _ in range(100):
                await session.type(b"x")


async def test_it_is_ended_from_outside_once() -> None:
    shell = PlayedShell()
    async with running(shell) as session:
        with session.attached(None) as (client, _):
            session.end("signed_out")
            session.end("abandoned")
            with anyio.fail_after(10):
                assert await session.next_output(client) == Ending("signed_out")
        await anyio.wait_all_tasks_blocked()
        assert shell.closed == 1
        await session.type(b"x")
        await session.resize(1, 1)
        assert (shell.typed, shell.sizes) == ([], [])


class Flood(PlayedShell):
    """Prints without an end."""

    async def read(self) -> bytes:
        self.reads += 1
        await anyio.lowlevel.checkpoint()
        return b"x" * CHUNK_BYTES


async def test_a_flood_that_nobody_looks_at_is_held_up_until_somebody_does() -> None:
    shell = Flood()
    async with running(shell, unseen_bytes_per_second=1.0) as session:
        await anyio.wait_all_tasks_blocked()
        assert shell.reads == 1  # 32 KiB, which may take nine hours
        with session.attached(None) as (client, _):
            taken = 0
            while taken < 10 * HOLD_BYTES:
                taken += len(await take(session, client))
        reads = shell.reads
        assert reads >= 10 * HOLD_BYTES // CHUNK_BYTES
        await anyio.wait_all_tasks_blocked()
        assert shell.reads <= reads + 2  # it is held up again


async def test_a_few_lines_that_nobody_looks_at_wait_for_nothing() -> None:
    shell = PlayedShell()
    async with running(shell) as session:
        for number in range(500):
            await shell.say.send(b"line %d\n" % number)
        await anyio.wait_all_tasks_blocked()
        assert shell.reads == 501
        with session.attached(None) as (client, lost):
            assert lost == 0
            assert (await take(session, client)).endswith(b"line 499\n")


async def test_a_flood_that_somebody_looks_at_is_read_at_the_pace_of_its_user() -> None:
    shell, charged = Flood(), []

    def charge(size: int) -> float:
        charged.append(size)
        return 0.0 if len(charged) < 5 else 3600.0

    async with running(shell, charge=charge) as session:
        with session.attached(None) as (client, _):
            taken = b""
            while len(taken) < 5 * CHUNK_BYTES:  # nothing of what came is held back
                taken += await take(session, client)
            await anyio.wait_all_tasks_blocked()
        assert shell.reads == 5
        assert charged == [CHUNK_BYTES] * 5
