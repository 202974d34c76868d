"""Handshakes and frames with something wrong in them, by the thousand, beside a good client."""

import asyncio
import random
import time
from typing import Final

import pytest

from tests.faults.crowd import quantile_of, simulated_site
from tests.integration.by_hand import (
    CLOSE,
    PONG,
    TEXT,
    Peer,
    frame,
    handshake,
    peer,
    resident_bytes,
)

SEED: Final = 20261124
AT_ONCE: Final = 15
MIB: Final = 2**20
CODES: Final = frozenset({1002, 1007, 1009, 4429, 4500, 4504, 4510})
STATUSES: Final = frozenset(
    {b"101", b"400", b"401", b"403", b"404", b"405", b"422", b"426", b"431"}
)
LISTEN_SECONDS: Final = 0.2
GOOD: Final = (
    '{"type":"subscribe","topic":"clusters"}',
    '{"type":"subscribe","topic":"cluster:018f0000-0000-7000-8000-00000000ffff","after":1}',
    '{"type":"unsubscribe","topic":"clusters"}',
    '{"type":"ping","nonce":"1"}',
)


def mutated(dice: random.Random, data: bytes) -> bytes:
    """Do something to some bytes."""
    spoiled = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(spoiled) or 1)
        match dice.randrange(6):
            case 0 if spoiled:
                spoiled[at] ^= 1 << dice.randrange(8)
            case 1:
                spoiled[at:at] = dice.randbytes(dice.randint(1, 8))
            case 2:
                del spoiled[at : at + dice.randint(1, 20)]
            case 3:
                spoiled[at:at] = spoiled[at : at + dice.randint(1, 40)]
            case 4:
                del spoiled[at:]
            case _:
                spoiled[at : at + 1] = bytes([dice.choice((0, 10, 13, 34, 58, 92, 127, 255))])
    return bytes(spoiled)


def any_frame(dice: random.Random) -> bytes:
    """Write a frame that may be well or not."""
    text = dice.choice(GOOD).encode()
    payload = mutated(dice, text) if dice.random() < 0.6 else text
    return frame(
        payload,
        dice.choice((TEXT,) * 6 + (dice.randrange(16),)),
        fin=dice.random() < 0.9,
        rsv=dice.choice((0,) * 9 + (dice.randrange(8),)),
        mask=dice.random() < 0.97,
    )


async def one(url: str, token: str, dice: random.Random) -> str:
    """Play one bad client; tell how it ended."""
    async with peer(url) as bad:
        if dice.random() < 0.5:
            known = token if dice.random() < 0.5 else None
            await bad.send(mutated(dice, handshake(url, known)))
            return await heard(bad, frames=False)
        assert "101" in await bad.upgrade(url, token)
        for _ in range(dice.randint(1, 4)):
            sent = any_frame(dice)
            await bad.send(mutated(dice, sent) if dice.random() < 0.15 else sent)
        return await heard(bad, frames=True)


async def heard(bad: Peer, *, frames: bool) -> str:
    """Listen for a moment: a frame that is cut off is no mistake yet."""
    try:
        async with asyncio.timeout(LISTEN_SECONDS):
            if not frames:
                answer = await bad.reader.read(12)
                assert not answer or answer[9:12] in STATUSES, answer
                return answer[9:12].decode() or "hung up"
            while (got := await bad.receive()) is not None:
                if got.opcode == CLOSE:
                    # A close frame of a client is given back as it is.
                    return str(got.close_code) if len(got.payload) > 1 else "closed"
            return "hung up"
    except TimeoutError:
        return "waits"


async def pinging(good: Peer, took: list[float]) -> None:
    """Ask for a sign of life, as often as one may."""
    while True:
        began = time.monotonic()
        await good.send(frame('{"type":"ping","nonce":"neighbour"}'))
        got = await good.receive()
        assert got is not None
        assert got.opcode != PONG
        assert got.document["type"] == "pong"
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.3)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("clients", [150, pytest.param(100_000, marks=pytest.mark.long)])
async def test_nothing_malformed_does_any_harm(database_url: str, clients: int) -> None:
    async with simulated_site(database_url) as site:
        await site.server.start()
        await site.sign_up()
        token = site.http.headers["Authorization"].removeprefix("Bearer ")
        url = site.server.url
        took: list[float] = []
        endings: dict[str, int] = {}
        async with peer(url) as good:
            assert "101" in await good.upgrade(url, token)
            assert await good.receive() is not None
            neighbour = asyncio.create_task(pinging(good, took))
            lines = len(site.log().splitlines())
            before = resident_bytes(site.server.pid)
            numbers = iter(range(clients))

            async def some() -> None:
                for number in numbers:
                    how = await one(url, token, random.Random(SEED + number))
                    endings[how] = endings.get(how, 0) + 1

            await asyncio.gather(*(some() for _ in range(AT_ONCE)))
            assert not neighbour.done()
            neighbour.cancel()
        grown = resident_bytes(site.server.pid) - before
        told = site.log().splitlines()[lines:]
        print(endings, quantile_of(took, 0.99), grown, len(told))  # noqa: T201
        codes = {int(how) for how in endings if how.isdigit() and int(how) >= 1000}
        assert codes <= CODES, endings
        assert not any("Traceback" in line or '"error"' in line for line in told), site.log_tail()
        assert len(told) <= clients
        assert quantile_of(took, 0.99) < 5
        assert grown < 30 * MIB
