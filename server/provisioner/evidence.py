"""Collects what tells why a create failed, before its pieces are removed.

Bounded in time and size, cleaned like a line of the log, secrets blanked. Nothing is written to
this host's disk, which may be what is full.
"""

import asyncio
import contextlib
import io
import tarfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

import anyio.to_thread

from pyk8s.wire.cluster import Cluster
from server.drivers.base import EvidenceFile, Explanation
from server.drivers.explain import NO_RULE, explain
from server.drivers.log_lines import clean_text
from server.provisioner.workshop import Workshop
from server.store.attempts import Attempt
from server.telemetry import get_logger

COLLECT_SECONDS: Final = 25.0
MAX_BYTES: Final = 7 * 1024 * 1024
"""Of all files together, before they are packed; the log of the create comes on top."""
MAX_LOG_BYTES: Final = 1024 * 1024
CLUES_PER_FILE: Final = 600
GENERAL: Final = frozenset({"step_timeout", "not_answering"})
"""These say what was seen; a rule that fits says why."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Clue:
    """A line of the evidence."""

    file: str
    text: str

    def quoted(self) -> str:
        """Write it so that it can stand in the log."""
        return f"evidence {self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Collected:
    """Cleaned files: (name, text)."""

    files: Sequence[tuple[str, str]] = ()

    def clues(self) -> list[Clue]:
        """Give the last lines of what the nodes said, for the rules."""
        return [
            Clue(name, line)
            for name, text in self.files
            if "/" in name
            for line in text.splitlines()[-CLUES_PER_FILE:]
        ]


NOTHING: Final = Collected()


@dataclass(frozen=True, slots=True)
class Found:
    """Why it failed, the lines of the log that say so (by index), and those of the evidence."""

    explanation: Explanation
    lines: Sequence[int]
    clues: Sequence[Clue]


async def collect(shop: Workshop, cluster: Cluster, attempt: Attempt) -> Collected:
    """Ask the driver for as much as there is time and room for. Never fails."""
    files: list[tuple[str, str]] = []
    room = MAX_BYTES
    # Every driver gives a generator, which is told when nobody reads on.
    given = cast("AsyncGenerator[EvidenceFile]", shop.driver.collect(shop.spec(cluster, attempt)))
    try:
        async with asyncio.timeout(COLLECT_SECONDS), contextlib.aclosing(given):
            async for file in given:
                text = await anyio.to_thread.run_sync(clean_text, file.data[-room:])
                files.append((file.name, text))
                room -= len(text.encode())
                if room <= 0:
                    break
    except TimeoutError:
        files.append(("INCOMPLETE.txt", f"not all was collected in {COLLECT_SECONDS:g} s\n"))
    except Exception:
        log.exception("evidence_not_collected", attempt=str(attempt.id))
    return Collected(files)


async def look_into(collected: Collected, cluster: Cluster, lines: Sequence[str]) -> Found:
    """Search the log and the evidence for a reason; off the loop, since it may be long."""
    clues = collected.clues()
    step = cluster.progress.step if cluster.progress is not None else None
    texts = [clue.text for clue in clues]
    explained = await anyio.to_thread.run_sync(partial(explain, lines, texts, failed_step=step))
    return Found(explained.explanation, explained.evidence, [clues[n] for n in explained.clues])


def the_better(seen: Explanation | None, found: Found) -> Explanation:
    """Choose between what the provisioner saw and what the rules found."""
    if seen is None or (seen.code in GENERAL and found.explanation is not NO_RULE):
        return found.explanation
    return seen


async def pack(collected: Collected, *, lines: Sequence[str], why: Explanation, at: float) -> bytes:
    """Make a tar.gz of the files, the log of the create and the explanation. `at`: Unix time."""
    words = [("title", why.title), ("code", why.code), ("cause", why.cause), ("fix", why.fix)]
    said = "".join(f"{name}: {text}\n" for name, text in words)
    whole = "".join(f"{line}\n" for line in lines)[-MAX_LOG_BYTES:]
    files = [("explanation.txt", said), ("create.log", whole), *collected.files]
    return await anyio.to_thread.run_sync(partial(_tar, files, at))


def _tar(files: Sequence[tuple[str, str]], at: float) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6) as tar:
        for name, text in files:
            data = text.encode()
            entry = tarfile.TarInfo(f"evidence/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(at), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()
