"""The runner as a process: what it writes down, however its command behaves."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from server.drivers.base import Command
from server.provisioner import launch
from server.provisioner.runner import PIECE
from server.provisioner.spool import Record, Spool, records_of

CAP = 100_000_000


def command(directory: Path, script: str) -> Command:
    return Command(
        argv=[sys.executable, "-I", "-S", "-c", script],
        env={"PATH": "/usr/bin:/bin"},
        cwd=directory,
    )


async def ended(directory: Path, pid: int, seconds: float = 20) -> list[Record]:
    """Wait for the end, and give what is in the spool."""
    async with asyncio.timeout(seconds):
        while launch.is_alive(directory):
            await asyncio.sleep(0.01)
    reap(pid)
    assert (directory / "runner.err").read_text() == ""
    return list(records_of((directory / "spool").read_bytes(), 0))


def reap(pid: int) -> None:
    """Wait for our child, whose lock is free, to be gone for good."""
    runners = {pid}
    while runners:
        launch.reap(runners)


async def run(directory: Path, script: str, *, cap: int = CAP) -> list[Record]:
    pid = launch.start(directory, command(directory, script), spool_cap_bytes=cap)
    return await ended(directory, pid)


async def test_lines_of_both_streams_and_the_exit_status(tmp_path: Path) -> None:
    before = time.time_ns()
    records = await run(
        tmp_path,
        "import sys; print('out'); print('err', file=sys.stderr); sys.stdout.flush(); sys.exit(3)",
    )
    said = {(record.kind, record.raw) for record in records}
    assert said == {("o", b"out"), ("e", b"err"), ("x", b"exit 3")}
    assert records[-1].kind == "x"
    assert all(before <= record.at_ns <= time.time_ns() for record in records)


async def test_a_last_line_without_an_end(tmp_path: Path) -> None:
    records = await run(tmp_path, "print('a'); print('b', end='')")
    assert [record.raw for record in records] == [b"a", b"b", b"exit 0"]


async def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    line = bytes(byte for byte in range(256) if byte != 10)
    records = await run(tmp_path, f"import sys; sys.stdout.buffer.write({line!r} + b'\\n')")
    assert records[0].raw == line


async def test_a_line_of_a_megabyte_comes_in_parts(tmp_path: Path) -> None:
    records = await run(tmp_path, "print('x' * 1_000_000); print('next')")
    parts = [record for record in records if record.kind == "O"]
    assert all(len(part.raw) == PIECE for part in parts)
    rest = records[len(parts)]
    assert rest.kind == "o"
    assert sum(len(part.raw) for part in parts) + len(rest.raw) == 1_000_000
    assert records[len(parts) + 1].raw == b"next"


async def test_a_flood_is_complete_and_in_order(tmp_path: Path) -> None:
    records = await run(tmp_path, "for n in range(200_000): print('line', n)")
    assert [record.raw for record in records[:-1]] == [b"line %d" % n for n in range(200_000)]


async def test_beyond_the_cap_only_progress_is_kept_and_the_command_goes_on(
    tmp_path: Path,
) -> None:
    records = await run(
        tmp_path,
        "for n in range(50_000): print('line', n)\nprint(' ✓ Preparing nodes')",
        cap=10_000,
    )
    assert (tmp_path / "spool").stat().st_size < 12_000
    *lines, mark, dropped, end = records
    assert [record.raw for record in lines] == [b"line %d" % n for n in range(len(lines))]
    assert len(lines) > 100
    assert mark.raw == " ✓ Preparing nodes".encode()
    assert dropped.kind == "d"
    assert int(dropped.raw) > 100_000
    assert end.raw == b"exit 0"


async def test_a_signal_is_noted(tmp_path: Path) -> None:
    records = await run(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert records[-1].raw == b"signal 9"


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    nowhere = Command(argv=["/no/such/program"], env={}, cwd=tmp_path)
    pid = launch.start(tmp_path, nowhere, spool_cap_bytes=CAP)
    (record,) = await ended(tmp_path, pid)
    assert record.kind == "x"
    assert record.raw == b"failed No such file or directory: /no/such/program"


async def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)\n"
        "print(p.pid)"
    )
    began = time.monotonic()
    records = await run(tmp_path, script)
    assert time.monotonic() - began < 10
    assert records[-1].raw == b"exit 0"
    os.kill(int(records[0].raw), signal.SIGKILL)


async def test_the_command_hears_signals_that_the_runner_does_not(tmp_path: Path) -> None:
    script = "import signal; print(signal.getsignal(15) == signal.SIG_DFL)"
    records = await run(tmp_path, script)
    assert records[0].raw == b"True"


async def knows_its_child(directory: Path) -> dict[str, int]:
    async with asyncio.timeout(10):
        while not (directory / "runner.json").exists():
            await asyncio.sleep(0.01)
    who: dict[str, int] = json.loads((directory / "runner.json").read_text())
    return who


def living_in(group: int) -> list[str]:
    """List the processes of a group that are more than an entry in the table."""
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                states.append(state)
    return states


async def test_stop_asks_first(tmp_path: Path) -> None:
    script = (
        "import os, signal, time\n"
        "signal.signal(15, lambda *_: (os.write(1, b'bye\\n'), os._exit(7)))\n"
        "print('up', flush=True); time.sleep(60)"
    )
    pid = launch.start(tmp_path, command(tmp_path, script), spool_cap_bytes=CAP)
    await says(tmp_path, b"up")
    assert await launch.stop(tmp_path, grace_seconds=10)
    records = await ended(tmp_path, pid)
    assert [record.raw for record in records] == [b"up", b"bye", b"exit 7"]


async def test_stop_kills_what_does_not_listen_and_its_children(tmp_path: Path) -> None:
    script = (
        "import os, signal, time\n"
        "signal.signal(15, signal.SIG_IGN)\n"
        "print(os.fork() and 'up', flush=True); time.sleep(60)"
    )
    pid = launch.start(tmp_path, command(tmp_path, script), spool_cap_bytes=CAP)
    await says(tmp_path, b"up")
    who = await knows_its_child(tmp_path)
    assert await launch.stop(tmp_path, grace_seconds=0.2)
    records = await ended(tmp_path, pid)
    assert records[-1].raw == b"signal 9"
    async with asyncio.timeout(5):
        while living_in(who["child"]):
            await asyncio.sleep(0.01)


async def test_stopping_nothing_is_fine(tmp_path: Path) -> None:
    assert await launch.stop(tmp_path / "never")


async def test_a_killed_runner_frees_its_lock(tmp_path: Path) -> None:
    script = "import time; time.sleep(60)"
    pid = launch.start(tmp_path, command(tmp_path, script), spool_cap_bytes=CAP)
    # Alive from the first moment on, before it has done anything.
    assert launch.is_alive(tmp_path)
    who = await knows_its_child(tmp_path)
    os.kill(who["pid"], signal.SIGKILL)
    async with asyncio.timeout(5):
        while launch.is_alive(tmp_path):
            await asyncio.sleep(0.01)
    reap(pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(who["child"], signal.SIGKILL)


async def says(directory: Path, raw: bytes, seconds: float = 10) -> None:
    """Wait for a line, woken by the runner."""
    with Spool(directory) as spool:
        async with asyncio.timeout(seconds):
            while raw not in [record.raw for record in records_of(spool.read(0), 0)]:
                await spool.wait()


async def test_the_reader_is_woken_at_once(tmp_path: Path) -> None:
    script = "import time\nfor n in range(20): print(n, flush=True); time.sleep(0.05)"
    pid = launch.start(tmp_path, command(tmp_path, script), spool_cap_bytes=CAP)
    delays: list[float] = []
    offset = 0
    with Spool(tmp_path) as spool:
        async with asyncio.timeout(20):
            while len(delays) < 21:
                await spool.wait(10)
                data = spool.read(offset)
                now = time.time_ns()
                for record in records_of(data, offset):
                    delays.append((now - record.at_ns) / 1e6)
                    offset = record.end
    await ended(tmp_path, pid)
    assert sorted(delays)[10] < 10, delays  # milliseconds; the poll would take 250


def test_a_torn_last_record_is_none(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"o1 whole\ne2 also\no3 to")
    spool = Spool(tmp_path)
    assert spool.read(0) == b"o1 whole\ne2 also\n"
    assert spool.read(17) == b""
    spool.__exit__()


def test_nonsense_in_the_spool_is_passed_over() -> None:
    data = b"o1 a\n\x00\x00\x00\n\nnonsense\no b\no2 c\n"
    records = list(records_of(data, 100))
    assert [record.raw for record in records] == [b"a", b"c"]
    assert records[-1].end == 100 + len(data)
