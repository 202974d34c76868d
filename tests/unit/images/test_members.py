"""How many members an archive has, whatever it says of their sizes."""

import io
import tarfile
from collections.abc import Sequence

import pytest

from server.errors import ImageRefused
from server.images.members import Members
from tests.archives import image_archive


def entry(name: str, content: bytes = b"", **fields: object) -> bytes:
    """Return a member with its header as they stand in an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512)


def counted(archive: bytes, *, most: int = 1000, piece: int = 700) -> int:
    members = Members(most)
    for start in range(0, len(archive), piece):
        members.look(archive[start : start + piece])
    return members.count


def plain_archive(form: int, names: Sequence[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 100 * number
            archive.addfile(info, io.BytesIO(b"x" * info.size))
        directory = tarfile.TarInfo("directory")
        directory.type = tarfile.DIRTYPE
        archive.addfile(directory)
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, names[-1]
        archive.addfile(link)
    return out.getvalue()


@pytest.mark.parametrize("piece", [1, 511, 512, 513, 100_000])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_are_counted_whatever_the_format_and_the_pieces(form: int, piece: int) -> None:
    archive = plain_archive(form, [f"file-{number}" for number in range(20)])
    assert counted(archive, piece=piece) == 22
    if form != tarfile.USTAR_FORMAT:  # a long name has a header of its own
        assert counted(plain_archive(form, ["n" * 150, "b"]), piece=piece) == 5


def test_what_docker_writes_is_far_from_the_limit() -> None:
    assert counted(image_archive()) == 3


def test_more_than_may_be_are_refused() -> None:
    archive = b"".join(entry(f"file-{number}") for number in range(11))
    assert counted(archive[:-512], most=10) == 10
    with pytest.raises(ImageRefused, match="more than 10 members"):
        counted(archive, most=10)


def test_members_cannot_be_hidden_from_the_count() -> None:
    hidden = b"".join(entry(f"hidden-{number}") for number in range(20))
    lies = {
        "an extended size of none": entry("a", pax_headers={"size": "0"}, size=10**6),
        "a link with a size": entry("a", type=tarfile.LNKTYPE, linkname="b", size=10**6),
        "a directory with a size": entry("a", type=tarfile.DIRTYPE, size=10**6),
    }
    for what, lie in lies.items():
        assert counted(lie + hidden) >= 20, what
    with pytest.raises(ImageRefused):
        counted(entry("a/", type=tarfile.AREGTYPE, size=10**6) + hidden)


def test_what_stands_in_a_file_is_no_member() -> None:
    layer = b"".join(entry(f"file-{number}") for number in range(500))
    assert counted(entry("layer.tar", layer) + bytes(1024) + layer) == 1


def test_a_large_file_is_passed_over() -> None:
    large = entry("large", pax_headers={"size": str(9 * 2**30)})
    assert counted(large + b"x" * 5000) == 2
