"""uvicorn's server with a calm loop."""

import asyncio
from typing import Final

import uvicorn

LOOK_SECONDS: Final = 1.0
"""Between two looks at what takes a look: the date that answers bear changes every second."""


class CalmServer(uvicorn.Server):
    """Ends at once when it is told to, and else looks once a second; uvicorn looks ten times.

    Each look wakes the process, and there is one such loop for each port: that was a fifth of what
    an idle server took.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        self._end = asyncio.Event()
        super().__init__(config)

    @property
    def should_exit(self) -> bool:
        """Whether the server is to end. Once told so it cannot be told otherwise."""
        return self._end.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._end.set()

    async def main_loop(self) -> None:
        """Serve until told to end."""
        while not await self.on_tick(0):
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._end.wait()
            except TimeoutError:
                continue
