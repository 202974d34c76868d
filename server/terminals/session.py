"""One terminal: a shell, the end of its output, and whoever looks at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import anyio

from pyk8s.wire.terminals import Terminal
from server.drivers.base import PodTarget, Shell
from server.terminals.ring import Ring

RING_BYTES: Final = 1024 * 1024
"""So much of the output is kept for whoever comes back."""

HOLD_BYTES: Final = 256 * 1024
"""A client that is so far behind holds the shell up, so that nothing is lost to it."""

WINDOW_BYTES: Final = 512 * 1024
"""A client that acknowledges is sent at most so much beyond that."""

CHUNK_BYTES: Final = 32 * 1024
"""At most so much goes into one frame."""

SLOW_SECONDS: Final = 15.0
"""A client that holds the shell up for so long without moving is let go."""

UNSEEN_BYTES_PER_SECOND: Final = 1024 * 1024
"""Output that nobody looks at is read no faster, and the shell waits: a build goes on, a program
that prints without an end does not keep the server and Docker busy."""

DEBT_SECONDS: Final = 0.05
"""The shell is held up for no less: a line now and then costs nothing."""

INPUTS: Final = 16
"""Pieces of input, of 64 KiB at most, that wait for the shell to take them."""

INPUT_SECONDS: Final = 15.0
"""So long a client waits for room among them."""

Reason = Literal["exited", "closed", "abandoned", "signed_out", "cluster_gone"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose terminal it is, by which credential, in which cluster."""

    user_id: UUID
    credential_id: UUID | None
    cluster_id: UUID


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended. `code`: the shell's own, None when it was ended from outside."""

    reason: Reason
    code: int | None = None


class InputNotTaken(Exception):
    """What runs in the terminal does not read what is typed."""


class Client:
    """One that is attached."""

    def __init__(self, offset: int) -> None:
        self.sent = offset
        self.acknowledged: int | None = None
        self.is_too_slow = False
        self._moved = anyio.Event()

    @property
    def reached(self) -> int:
        """Up to here it has everything, as far as is known."""
        return self.sent if self.acknowledged is None else self.acknowledged

    @property
    def may_take(self) -> int:
        """How many bytes it may be sent now."""
        if self.acknowledged is None:
            return CHUNK_BYTES
        return max(0, self.acknowledged + WINDOW_BYTES - self.sent)

    def acknowledge(self, offset: int) -> None:
        """Take note of what it has shown. More than was sent to it counts as all of that."""
        self.acknowledged = max(self.acknowledged or 0, min(offset, self.sent))
        self.move()

    def move(self) -> None:
        """Wake who waits for it."""
        self._moved.set()
        self._moved = anyio.Event()

    async def moved(self) -> None:
        """Wait until it has taken or acknowledged something, or is let go."""
        await self._moved.wait()


class Session:
    """A shell with everything that its clients share. `run` has to run for it to live."""

    def __init__(
        self,
        session_id: UUID,
        owner: Owner,
        shell: Shell,
        *,
        title: str,
        pod: PodTarget | None,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        typed: Callable[[], None] = lambda: None,
        charge: Callable[[int], float] = lambda _: 0.0,
        ring_bytes: int = RING_BYTES,
        slow_seconds: float = SLOW_SECONDS,
        unseen_bytes_per_second: float = UNSEEN_BYTES_PER_SECOND,
    ) -> None:
        """`clock` is monotonic seconds, `now` this machine's time; `typed` hears of input.

        `charge` counts bytes of output, and returns how long to wait before more is read.
        """
        self.id = session_id
        self.owner = owner
        self.title = title
        self.pod = pod
        self.created_at = now()
        self.last_input_at: datetime | None = None
        self.ending: Ending | None = None
        self.left_alone_at: float | None = clock()
        """When its last client went, on the clock; None while there is one."""
        self._shell = shell
        self._clock = clock
        self._now = now
        self._on_typed = typed
        self._charge = charge
        self._slow_seconds = slow_seconds
        self._unseen_rate = unseen_bytes_per_second
        self._debt_seconds = 0.0
        self._seen = anyio.Event()
        self._ring = Ring(ring_bytes)
        self._clients: set[Client] = set()
        self._news = anyio.Event()
        self._progress = anyio.Event()
        self._scope = anyio.CancelScope()
        self._typed, self._to_type = anyio.create_memory_object_stream[bytes](INPUTS)

    def describe(self) -> Terminal:
        """Say what it is, as the wire shows it."""
        return Terminal(
            id=self.id,
            title=self.title,
            pod=f"{self.pod.namespace}/{self.pod.name}" if self.pod else None,
            container=self.pod.container if self.pod else None,
            created_at=self.created_at,
            last_input_at=self.last_input_at,
            attached=len(self._clients),
        )

    async def run(self) -> None:
        """Carry bytes until the shell ends or is ended, then see that nothing of it is left."""
        code = None
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._type)
                    await self._listen()
                    code = await self._shell.exit_code()
                    tasks.cancel_scope.cancel()
        finally:
            if self.ending is None:
                self.ending = Ending("exited", code)
            self._tell()
            self._typed.close()
            self._to_type.close()
            with anyio.CancelScope(shield=True):
                await self._shell.close()

    def end(self, reason: Reason) -> None:
        """End it from outside. The first reason is the one that is told."""
        if self.ending is None:
            self.ending = Ending(reason)
            self._scope.cancel()
            self._tell()

    async def _listen(self) -> None:
        while data := await self._shell.read():
            # Before it is kept: who begins with the oldest byte must not lose it to this one.
            while behind := self._behind():
                await self._wait_for(behind)
            self._ring.append(data)
            self._tell()
            if seconds := self._charge(len(data)):
                await anyio.sleep(seconds)
            if not self._clients:
                await self._slow_down(len(data))

    async def _slow_down(self, count: int) -> None:
        """Wait as long as so many bytes may take while nobody looks, or until somebody does."""
        self._debt_seconds += count / self._unseen_rate
        if self._debt_seconds < DEBT_SECONDS:
            return
        debt, self._debt_seconds = self._debt_seconds, 0.0
        seen = self._seen
        with anyio.move_on_after(debt):
            await seen.wait()

    def _behind(self) -> dict[Client, int]:
        return {
            client: client.reached
            for client in self._clients
            if not client.is_too_slow and self._ring.end - client.reached > HOLD_BYTES
        }

    async def _wait_for(self, behind: dict[Client, int]) -> None:
        """Wait until one of these has moved; let those go that have not for too long."""
        with anyio.move_on_after(self._slow_seconds) as patience:
            await self._progress.wait()
        if patience.cancelled_caught:
            for client, reached in behind.items():
                if client.reached == reached:
                    client.is_too_slow = True
                    client.move()
            self._tell()

    async def _type(self) -> None:
        async for data in self._to_type:
            await self._shell.write(data)

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    def _move_on(self) -> None:
        self._progress.set()
        self._progress = anyio.Event()

    @contextmanager
    def attached(self, offset: int | None) -> Iterator[tuple[Client, int]]:
        """Keep it alive and be sent what follows `offset`; None: all that is kept.

        Gives the client and how many bytes after `offset` are lost.

        Raises:
            ValueError: there never was so much output.
        """
        if offset is not None and offset > self._ring.end:
            raise ValueError(f"the terminal has put out {self._ring.end} bytes, not {offset}")
        wanted = self._ring.start if offset is None else offset
        client = Client(max(wanted, self._ring.start))
        self._clients.add(client)
        self.left_alone_at = None
        self._seen.set()
        self._seen = anyio.Event()
        try:
            yield client, client.sent - wanted
        finally:
            self._clients.discard(client)
            if not self._clients:
                self.left_alone_at = self._clock()
            self._move_on()

    async def next_output(self, client: Client) -> bytes | Ending:
        """Wait for what the client is to be sent next; the ending when it has all.

        Raises:
            TimeoutError: the client was let go, because it was too slow.
        """
        while True:
            if client.is_too_slow:
                raise TimeoutError
            news = self._news
            left = self._ring.end - client.sent
            if left and client.may_take:
                return self._ring.read(client.sent, min(CHUNK_BYTES, client.may_take))
            if left:
                await client.moved()
            elif self.ending is not None:
                return self.ending
            else:
                await news.wait()

    def taken(self, client: Client, count: int) -> None:
        """Note that the client's connection has taken so many bytes."""
        client.sent += count
        if client.acknowledged is None:
            self._move_on()

    def acknowledged(self, client: Client, offset: int) -> None:
        """Note that the client has shown everything up to an offset."""
        client.acknowledge(offset)
        self._move_on()

    async def type(self, data: bytes) -> None:
        """Pass on what somebody typed. Waits while much is waiting already.

        Raises:
            InputNotTaken: it waits for too long.
        """
        self.last_input_at = self._now()
        self._on_typed()
        try:
            with anyio.fail_after(INPUT_SECONDS):
                await self._typed.send(data)
        except TimeoutError as error:
            raise InputNotTaken from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return  # it has just ended

    async def resize(self, rows: int, cols: int) -> None:
        """Tell the shell the size of its window."""
        if self.ending is None:
            await self._shell.resize(rows, cols)
