"""Wrong passwords per account: after a few, each further try must wait longer."""

import math
from collections import OrderedDict
from collections.abc import Callable

from server.errors import TooManyAttempts

FREE_TRIES = 5
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 300.0
REMEMBERED = 10_000


class Throttle:
    """Counts in memory: a restart forgives. The clock (seconds, monotonic) is a parameter."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def admit(self, account: str) -> None:
        """Let a try pass.

        Raises:
            TooManyAttempts: it is too early.
        """
        count, since = self._failures.get(account, (0, 0.0))
        if count < FREE_TRIES:
            return
        wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (count - FREE_TRIES))
        left = since + wait - self._clock()
        if left > 0:
            raise TooManyAttempts(
                f"{count} wrong passwords for this account",
                fix=f"wait {math.ceil(left)} s and try again",
                retry_after=math.ceil(left),
            )

    def failed(self, account: str) -> None:
        """Count a wrong password."""
        count, _ = self._failures.pop(account, (0, 0.0))
        self._failures[account] = (count + 1, self._clock())
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, account: str) -> None:
        """Forget the account's wrong ones."""
        self._failures.pop(account, None)
