"""What keeps the log small."""

import logging
import subprocess
import sys
import textwrap
from pathlib import Path

from server.telemetry import FOREIGN_LINES, KEPT_FILES, OWN_LINES, WINDOW_SECONDS, Sparing, shift

REPOSITORY = Path(__file__).resolve().parents[2]


class Log:
    def __init__(self) -> None:
        self.now = 0.0
        self.sparing = Sparing(lambda: self.now)

    def says(self, message: object, level: int = logging.WARNING) -> object:
        """Log; return what comes out, or None."""
        record = logging.LogRecord("uvicorn.error", level, "", 0, message, (), None)
        return record.msg if self.sparing.filter(record) else None


INVALID = "Invalid HTTP request received."


def test_what_anybody_can_cause_is_not_a_line_each() -> None:
    log = Log()
    said = [log.says(INVALID) for _ in range(1000)]
    assert [each for each in said if each is not None] == [INVALID] * FOREIGN_LINES
    log.now = WINDOW_SECONDS
    left_out = 1000 - FOREIGN_LINES
    assert log.says(INVALID) == f"{INVALID} ({left_out} more of these were left out)"
    assert log.says(INVALID) == INVALID


def test_one_that_repeats_silences_no_other() -> None:
    log = Log()
    for _ in range(1000):
        log.says(INVALID)
    assert log.says("something else") == "something else"


def test_events_of_our_own_are_counted_by_their_name() -> None:
    log = Log()
    said = [log.says({"event": "request_failed", "request_id": n}) for n in range(1000)]
    assert sum(each is not None for each in said) == OWN_LINES
    log.now = WINDOW_SECONDS
    again = log.says({"event": "request_failed", "request_id": 1})
    assert again == {"event": "request_failed", "request_id": 1, "left_out": 1000 - OWN_LINES}


def test_what_happened_is_always_logged() -> None:
    log = Log()
    said = [log.says({"event": "attempt_started"}, logging.INFO) for _ in range(1000)]
    assert None not in said


def test_a_log_does_not_grow_for_ever_and_tracebacks_come_along(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    script = textwrap.dedent(
        """
        import logging, sys
        from pathlib import Path
        from server.telemetry import configure_log, get_logger
        configure_log("json", file=Path(sys.argv[1]), file_bytes=10_000)
        for number in range(2000):
            get_logger("x").info("happened", number=number)
        raise RuntimeError("the last words")
        """
    )
    with path.open("ab") as log:
        subprocess.run(
            [sys.executable, "-c", script, str(path)], stderr=log, cwd=REPOSITORY, check=False
        )
    files = sorted(tmp_path.iterdir())
    assert [each.name for each in files] == [
        "server.log", *(f"server.log.{number}" for number in range(1, KEPT_FILES + 1))
    ]  # fmt: skip
    assert all(each.stat().st_size < 12_000 for each in files)
    text = path.read_text()
    assert "the last words" in text
    newest = "".join(each.read_text() for each in (files[1], files[0]))
    assert '"number": 1999' in newest


def test_the_oldest_file_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for number in range(6):
        path.write_text(str(number))
        shift(path)
    kept = {each.name: each.read_text() for each in tmp_path.iterdir()}
    assert kept == {"log.1": "5", "log.2": "4", "log.3": "3"}
