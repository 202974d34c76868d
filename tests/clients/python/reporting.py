"""One line for each check: `ok`, a tab and the name, or `failed`, the name and the reason."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

CHECK_SECONDS = 90.0


def expect(got: object, wanted: object) -> None:
    if got != wanted:
        raise AssertionError(f"got {got!r}, not {wanted!r}")


def told(name: str, error: Exception | None) -> None:
    if error is None:
        print(f"ok\t{name}", flush=True)  # noqa: T201
    else:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"failed\t{name}\t{reason}", flush=True)  # noqa: T201


def check(name: str) -> Callable[[Callable[[], Any]], None]:
    """Run a check at once."""

    def run(body: Callable[[], Any]) -> None:
        try:
            if inspect.iscoroutinefunction(body):
                asyncio.run(asyncio.wait_for(body(), CHECK_SECONDS))
            else:
                body()
        except Exception as error:
            told(name, error)
        else:
            told(name, None)

    return run
