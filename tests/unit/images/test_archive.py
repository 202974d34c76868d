"""What comes of an archive on its way into a cluster."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import ImageRefused, TooLarge
from server.images.archive import LONGEST_SECONDS, RATE_BYTES, RATE_SECONDS, Archive
from tests.archives import gzipped, image_archive, pieces_of

WHOLE = image_archive()
MOST = 10 * 1024 * 1024


async def read(data: bytes, *, size: int = 4096, most_bytes: int = MOST) -> tuple[bytes, int]:
    archive = Archive(pieces_of(data, size), most_bytes=most_bytes)
    return b"".join([piece async for piece in archive.plain()]), archive.size_bytes


@settings(deadline=None, max_examples=40)  # one of many small pieces takes its time
@given(size=st.integers(1, 2000), is_compressed=st.booleans())
def test_it_comes_out_as_it_was_whatever_the_pieces(size: int, is_compressed: bool) -> None:
    sent = gzipped(WHOLE) if is_compressed else WHOLE
    plain, counted = asyncio.run(read(sent, size=size))
    assert plain == WHOLE
    assert counted == len(sent)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "nothing was sent"),
        (b"no archive", "no archive of images"),
        (b"x" * 5000, "no archive of images"),
        (gzipped(b"x" * 5000), "no archive of images"),
        (gzipped(b""), "nothing was sent"),
        (gzipped(WHOLE)[:-2000], "cut short"),
        (b"\x1f\x8b" + b"x" * 5000, "cannot be unpacked"),
    ],
    ids=["empty", "short", "long", "gzip", "empty gzip", "half a gzip", "no gzip"],
)
async def test_what_is_no_archive_is_refused_with_the_way_out(sent: bytes, words: str) -> None:
    with pytest.raises(ImageRefused, match=words) as refused:
        await read(sent)
    assert "docker save" in (refused.value.fix or "")


async def test_too_long_is_refused_at_the_first_byte_too_many() -> None:
    assert (await read(WHOLE, most_bytes=len(WHOLE)))[0] == WHOLE
    with pytest.raises(TooLarge, match="more than"):
        await read(WHOLE, most_bytes=len(WHOLE) - 1)


async def test_a_few_bytes_that_stand_for_many_are_refused_too() -> None:
    bomb = gzipped(WHOLE + bytes(50 * 1024 * 1024))
    assert len(bomb) < MOST / 10
    taken = 0
    with pytest.raises(TooLarge):
        async for piece in Archive(pieces_of(bomb), most_bytes=MOST).plain():
            taken += len(piece)
    assert taken <= MOST


async def test_one_that_stalls_is_given_up_and_says_how_far_it_came() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield WHOLE[:1000]
        await asyncio.Event().wait()

    archive = Archive(stalled(), most_bytes=MOST, stall_seconds=0.01)
    with pytest.raises(ImageRefused, match="after 1000 bytes"):
        async for _ in archive.plain():
            pass


class Clock:
    """Goes on by what the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def paced(clock: Clock, *, piece_bytes: int, every: float) -> int:
    """Read an archive that comes at a pace; give how many pieces were taken."""
    taken = 0

    async def coming() -> AsyncIterator[bytes]:
        yield WHOLE[:1000]
        while True:
            clock.now += every
            yield bytes(piece_bytes)

    archive = Archive(coming(), most_bytes=1 << 50, clock=clock)
    async for _ in archive.plain():
        taken += 1
    return taken


async def test_one_that_only_keeps_a_place_is_given_up() -> None:
    clock = Clock()
    with pytest.raises(ImageRefused, match="too slowly"):
        await paced(clock, piece_bytes=1, every=50)
    assert RATE_SECONDS <= clock.now <= 2 * RATE_SECONDS


async def test_one_that_comes_for_too_long_is_given_up() -> None:
    clock = Clock()
    with pytest.raises(ImageRefused, match="waited for"):
        await paced(clock, piece_bytes=2 * RATE_BYTES, every=1)
    assert LONGEST_SECONDS <= clock.now <= LONGEST_SECONDS + RATE_SECONDS


async def test_nodes_that_are_slow_to_take_it_are_not_its_fault() -> None:
    clock = Clock()
    archive = Archive(pieces_of(WHOLE, 512), most_bytes=MOST, clock=clock)
    async for _ in archive.plain():
        clock.now += RATE_SECONDS
    assert archive.size_bytes == len(WHOLE)
