"""shell: a terminal in a cluster, in this terminal."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from pyk8s.cli import exits
from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.session import Session

if TYPE_CHECKING:
    from pyk8s.client.stream import StreamState
    from pyk8s.client.terminal import Terminal

LEAVE = b"\x1d"
"""Ctrl-], as in telnet and virsh."""

READ_BYTES = 16 * 1024

Pod = Annotated[
    str | None,
    typer.Option("--pod", metavar="NAMESPACE/NAME", help="A shell in this pod, not in the node."),
]
Container = Annotated[
    str | None, typer.Option("--container", help="The container of the pod, if not its first.")
]
Attach = Annotated[
    UUID | None, typer.Option("--session", help="Go on in a terminal that is open already.")
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @command(app, "shell")
    async def _(
        session: Session,
        name: Name,
        pod: Pod = None,
        container: Container = None,
        attach: Attach = None,
    ) -> None:
        """Open a shell in a cluster. Its exit code becomes that of this command.

        Ctrl-] leaves and lets the shell live on for two minutes. A lost connection comes back by
        itself. Without a terminal what comes on standard input is typed, then `exit`.
        """
        is_raw = sys.stdin.isatty() and sys.stdout.isatty()
        rows, cols = _size() if is_raw else (24, 80)
        async with session.lab() as lab:
            cluster = await find(lab, name)
            terminal = cluster.terminal(
                rows=rows,
                cols=cols,
                session=attach,
                pod=pod,
                container=container,
                on_state=lambda state: _tell(session, state, is_raw=is_raw),
            )
            with _raw() if is_raw else contextlib.nullcontext():
                left = await _carry(terminal, is_raw=is_raw)
        if left:
            session.say(
                "\nLeft. The shell lives on for two minutes: "
                f"pyk8s shell {cluster.name} --session {terminal.session}",
                style="dim",
            )
            return
        ended = terminal.ended
        if ended is None or ended.code is None:
            session.say(f"The terminal has ended: {ended.reason if ended else 'lost'}.")
            raise typer.Exit(exits.OTHER)
        raise typer.Exit(ended.code)


async def _carry(terminal: "Terminal", *, is_raw: bool) -> bool:
    """Carry bytes until the shell ends; True: the person left it."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Queue[bytes] = asyncio.Queue()
    left = asyncio.Event()
    with _hearing(loop, typed, terminal) if is_raw else contextlib.nullcontext():
        if not is_raw:
            loop.run_in_executor(None, _feed, loop, typed)
        typing = asyncio.create_task(_type(terminal, typed, left))
        showing = asyncio.create_task(_show(terminal))
        leaving = asyncio.create_task(left.wait())
        try:
            await asyncio.wait({showing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if showing.done():
                showing.result()
            return not showing.done()
        finally:
            for task in (typing, showing, leaving):
                task.cancel()
            await asyncio.gather(typing, showing, leaving, return_exceptions=True)


async def _show(terminal: "Terminal") -> None:
    async with aclosing(terminal.output()) as output:
        async for data in output:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()


async def _type(terminal: "Terminal", typed: asyncio.Queue[bytes], left: asyncio.Event) -> None:
    while True:
        data = await typed.get()
        before, leave, _ = data.partition(LEAVE)
        await terminal.write(before)
        if leave:
            left.set()
            return


def _feed(loop: asyncio.AbstractEventLoop, typed: asyncio.Queue[bytes]) -> None:
    """Type what comes on standard input, from a thread of its own; then end the shell."""
    while data := os.read(sys.stdin.fileno(), READ_BYTES):
        loop.call_soon_threadsafe(typed.put_nowait, data.replace(LEAVE, b""))
    with contextlib.suppress(RuntimeError):  # the shell has ended first
        loop.call_soon_threadsafe(typed.put_nowait, b"exit\n")


@contextlib.contextmanager
def _hearing(
    loop: asyncio.AbstractEventLoop, typed: asyncio.Queue[bytes], terminal: "Terminal"
) -> Iterator[None]:
    """Hear keys, and changes of the window's size."""
    import signal

    resizing: set[asyncio.Task[None]] = set()

    def on_key() -> None:
        data = os.read(sys.stdin.fileno(), READ_BYTES)
        typed.put_nowait(data or LEAVE)

    def on_size() -> None:
        task = asyncio.create_task(terminal.resize(*_size()))
        resizing.add(task)
        task.add_done_callback(resizing.discard)

    loop.add_reader(sys.stdin.fileno(), on_key)
    loop.add_signal_handler(signal.SIGWINCH, on_size)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin.fileno())
        loop.remove_signal_handler(signal.SIGWINCH)
        for task in tuple(resizing):
            task.cancel()


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Hand every key on as it is, and put the terminal back whatever happens."""
    restore = _make_raw()
    try:
        yield
    finally:
        restore()


def _make_raw() -> Callable[[], None]:
    try:
        import termios
        import tty
    except ImportError:
        sys.stderr.write("Error: this system has no terminals that pyk8s can use.\n")
        raise typer.Exit(exits.USAGE) from None
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    return lambda: termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _size() -> tuple[int, int]:
    size = os.get_terminal_size(sys.stdout.fileno())
    return max(1, size.lines), max(1, size.columns)


def _tell(session: Session, state: "StreamState", *, is_raw: bool) -> None:
    from pyk8s.client.stream import Reconnecting

    end = "\r\n" if is_raw else "\n"
    if session.is_quiet:
        return
    if isinstance(state, Reconnecting):
        words = f"reconnecting in {state.delay_seconds:.0f} s, attempt {state.attempt}"
        sys.stderr.write(f"{end}[{words}: {state.cause}]{end}")
    else:
        sys.stderr.write(f"[connected again]{end}")
    sys.stderr.flush()
