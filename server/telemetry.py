"""The server's own log: structured, one line an event, names in the past tense, ids as fields.

A file of it is rotated by size, and lines that repeat are counted instead of logged.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TextIO

import structlog

KEPT_FILES: Final = 3
"""How many full files stay beside the one that is written."""
WINDOW_SECONDS: Final = 60.0
OWN_LINES: Final = 100
"""Warnings of one event that are logged in a window."""
FOREIGN_LINES: Final = 10
"""The same of a library: anybody can make uvicorn say that a request is not HTTP."""
MOST_KEYS: Final = 1000
_STDOUT: Final = 1
"""Standard output may lead to the same file, which would stay open and full."""


@dataclass(slots=True)
class _Window:
    began: float
    logged: int = 0
    left_out: int = 0


class Sparing(logging.Filter):
    """Leaves out warnings and errors that repeat, and counts them on the next that is logged."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._windows: dict[tuple[str, str], _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged."""
        if record.levelno < logging.WARNING:
            return True
        is_own = isinstance(record.msg, dict)
        event = str(record.msg.get("event")) if isinstance(record.msg, dict) else str(record.msg)
        window = self._window_of((record.name, event))
        if window.logged >= (OWN_LINES if is_own else FOREIGN_LINES):
            window.left_out += 1
            return False
        window.logged += 1
        if window.left_out:
            _count_on(record, window.left_out)
            window.left_out = 0
        return True

    def _window_of(self, key: tuple[str, str]) -> _Window:
        now = self._monotonic()
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= MOST_KEYS:
                self._windows.clear()
            window = self._windows[key] = _Window(now)
        elif now - window.began >= WINDOW_SECONDS:
            window.began, window.logged = now, 0
        return window


def _count_on(record: logging.LogRecord, left_out: int) -> None:
    if isinstance(record.msg, dict):
        record.msg["left_out"] = left_out
    else:
        record.msg = f"{record.msg} ({left_out} more of these were left out)"


class RotatingStderr(logging.StreamHandler[TextIO]):
    """Writes to standard error, and begins a new file when the one behind it is full.

    Tracebacks and what libraries print go to standard error past the log; they come along, since it
    is the descriptor that moves to the new file. A file that is not behind standard error is left
    alone.
    """

    def __init__(self, stream: TextIO, path: Path, most_bytes: int) -> None:
        super().__init__(stream)
        self._path = path
        self._most_bytes = most_bytes

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. A log that cannot be rotated goes on as it is."""
        super().emit(record)
        with suppress(OSError, ValueError):
            descriptor = self.stream.fileno()
            written = os.fstat(descriptor)
            if written.st_size >= self._most_bytes and os.path.samestat(written, self._path.stat()):
                both = {descriptor, _STDOUT}
                self._begin_another(
                    [each for each in both if os.path.samestat(written, os.fstat(each))]
                )

    def _begin_another(self, descriptors: Iterable[int]) -> None:
        shift(self._path)
        fresh = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            for each in descriptors:
                os.dup2(fresh, each)
        finally:
            os.close(fresh)


def shift(path: Path) -> None:
    """Rename `log` to `log.1`, `log.1` to `log.2` and so on; the oldest goes."""
    for number in range(KEPT_FILES, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if newer.exists():
            newer.replace(older)


def configure_log(
    how: Literal["auto", "json", "console"], *, file: Path | None = None, file_bytes: int = 0
) -> None:
    """Set up the log of the process. Called once, by `server.__main__`.

    `file`: the one that standard error is redirected to; it is rotated at so many bytes.
    """
    console = how == "console" or (how == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    if not console:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = (
        RotatingStderr(sys.stderr, file, file_bytes) if file else logging.StreamHandler(sys.stderr)
    )
    handler.addFilter(Sparing())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "alembic.runtime", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Give the logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
