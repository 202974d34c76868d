"""The ring against a plain record of everything."""

import random

import pytest

from server.terminals.ring import Ring


def test_it_keeps_the_last_bytes_and_knows_where_they_stand() -> None:
    chance = random.Random(6)
    ring, everything = Ring(100), b""
    for _ in range(500):
        piece = chance.randbytes(chance.choice([0, 1, 7, 99, 100, 101, 350]))
        ring.append(piece)
        everything += piece
        assert ring.end == len(everything)
        assert ring.end - ring.start == min(100, len(everything))
        offset = chance.randint(ring.start, ring.end)
        limit = chance.randint(1, 120)
        assert ring.read(offset, limit) == everything[offset : offset + limit]


def test_what_is_gone_or_has_not_come_is_not_made_up() -> None:
    ring = Ring(4)
    ring.append(b"abcdef")
    assert ring.read(2, 10) == b"cdef"
    for offset in (1, 7):
        with pytest.raises(ValueError, match="between 2 and 6"):
            ring.read(offset, 1)
