"""Archives that were made to harm whoever reads them."""

import io
import re
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from server.drivers import simulated_images
from server.drivers.base import DriverError
from tests.archives import archive_of, pieces_of

MIB = 1 << 20
MOST_GROWTH = 20 * MIB


def sparse() -> bytes:
    """Return 10 KB that stand for a manifest of 12 GiB."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = 512
        entry.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "manifest.json",
            "GNU.sparse.realsize": str(12 << 30),
        }
        archive.addfile(entry, io.BytesIO(b"1\n0\n0\n".ljust(512, b"\0")))
    return out.getvalue()


def long_header() -> bytes:
    """Return a header of 64 MiB for one file."""
    entry = tarfile.TarInfo("x")
    entry.type = tarfile.XHDTYPE
    entry.size = 64 * MIB
    return entry.tobuf() + b"1 a=b\n" * (64 * MIB // 6 + 1)


def many() -> bytes:
    """Return an archive with a member for each KiB."""
    return tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT) * 20_000


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (sparse, "no ordinary file"),
        (long_header, "headers are larger"),
        (many, "10000 members"),
        (lambda: archive_of(b" " * 32 * MIB), "more than 1048576 bytes"),
        (lambda: archive_of(b"5"), "no list of images"),
        (lambda: archive_of(b"[5]"), "manifest.json[0] is no object"),
        (lambda: archive_of(b'[{"RepoTags": 5}]'), "manifest.json[0].RepoTags is no list"),
        (lambda: archive_of(b'[{"RepoTags": [1]}]'), "manifest.json[0].RepoTags[0] is no name"),
        (lambda: archive_of(b'[{"RepoTags": ["\\u0000"]}]'), "RepoTags[0] is no name"),
        (lambda: archive_of(b"[" * 100_000), "not JSON"),
        (lambda: archive_of(b"[]")[:512], "cut short|damaged"),
        (lambda: archive_of(b"").replace(b"manifest", b"mainfest"), "no manifest|damaged"),
    ],
)
async def test_it_is_refused_in_words_for_a_person(
    make: Callable[[], bytes], why: str, tmp_path: Path
) -> None:
    sent = make()
    tracemalloc.start()
    try:
        with pytest.raises(DriverError) as refused:
            await simulated_images.load(tmp_path, pieces_of(sent, 65536), nodes=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    said = refused.value.explanation.cause
    assert re.search("|".join(map(re.escape, why.split("|"))), said), said
    assert "docker save" in refused.value.explanation.fix
    assert peak < MOST_GROWTH
