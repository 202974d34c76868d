"""Tries which ports of which addresses can be reached from where it runs.

reach.py JSON    {"hosts": [name or address...], "ports": [number...],
                  "wide": [address of which every port is tried...]}

Prints JSON: {"addresses": {host: address}, "open": [{host, address, port, answered}...]}. Has the
standard library only: it runs inside of clusters.
"""

import asyncio
import json
import resource
import socket
import sys
from itertools import chain
from typing import Any

AT_ONCE = 3000
SPARE_FILES = 64
CONNECT_SECONDS = 1.5
ALL_PORTS = range(1, 65536)
ANSWER_SECONDS = 3.0
QUESTION = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def ask(host: str, address: str, port: int) -> dict[str, Any] | None:
    """Connect and ask something; None: no connection came about."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return None
    answer = b""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.write(QUESTION)
            answer = await reader.read(64)
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
    return {"host": host, "address": address, "port": port, "answered": bool(answer)}


async def reach(hosts: list[str], ports: list[int], wide: list[str]) -> dict[str, Any]:
    """Try the ports of every host whose name is known, and all of those that are to be wide."""
    addresses = {}
    for host in hosts:
        try:
            addresses[host] = await asyncio.to_thread(socket.gethostbyname, host)
        except OSError:
            continue
    few = ((host, address, port) for port in ports for host, address in addresses.items())
    many = ((address, address, port) for port in ALL_PORTS for address in wide)
    pairs = chain(few, many)
    found = []

    async def work() -> None:
        for host, address, port in pairs:
            answer = await ask(host, address, port)
            if answer is not None:
                found.append(answer)

    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    await asyncio.gather(*(work() for _ in range(min(AT_ONCE, files - SPARE_FILES))))
    return {"addresses": addresses, "open": found}


if __name__ == "__main__":
    wish = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(asyncio.run(reach(**wish))) + "\n")
