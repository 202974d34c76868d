"""Clients that open TLS connections and drop them, without an end: what they cost is bounded."""

import asyncio
import contextlib
import itertools
from typing import Any, Final

import pytest

from tests.faults.simulated_site import simulated
from tests.integration.by_hand import resident_bytes
from tests.integration.listeners import without_verification
from tests.ports import free_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

MIB: Final = 2**20
CLIENTS: Final = 50
WARM: Final = 4000
"""Connections after which the allocator, the buffers of 50 connections at once and what waits for
the garbage collector have come to their size: about 30 MiB, most of it by the first 2,000."""
MORE: Final = 6000
MAX_GROWTH_BYTES: Final = 15 * MIB
"""A leak of 3 KiB for each connection would be 18 MiB; a context or session is more."""
REQUEST: Final = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"


async def churn(port: int, connections: int) -> int:
    """Open and drop so many connections; return how many came to stand."""
    numbers, stood = itertools.count(), 0
    tls = without_verification()

    async def client(kind: int) -> None:
        nonlocal stood
        while next(numbers) < connections:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(30):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
                stood += 1
                if kind % 2:  # some ask, and some of these wait for the answer
                    writer.write(REQUEST)
                    if kind % 4 == 1:
                        await reader.read(100)
                writer.transport.abort()

    async with asyncio.TaskGroup() as tasks:
        for kind in range(CLIENTS):
            tasks.create_task(client(kind))
    return stood


async def test_dropped_connections_leave_nothing(database_url: str, record_property: Any) -> None:
    port = free_port()
    async with simulated(database_url, PYK8S_PROXY_PORT=str(port)) as site:
        await site.server.start()
        new = resident_bytes(site.server.pid)
        assert await churn(port, WARM) > WARM * 0.9
        warm = resident_bytes(site.server.pid)
        assert await churn(port, MORE) > MORE * 0.9
        record_property("new_mib", new // MIB)
        record_property("warm_mib", warm // MIB)
        record_property("end_mib", resident_bytes(site.server.pid) // MIB)
        assert resident_bytes(site.server.pid) - warm < MAX_GROWTH_BYTES
