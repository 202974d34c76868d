"""The file of a backup: what comes out is what went in, or the file is refused in words."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from server.backup.container import (
    PART_BYTES,
    DumpedTable,
    Manifest,
    Parts,
    Refused,
    check_name,
    entries,
    verified,
    writing,
)

ROWS = [b"%d\tline %d\n" % (n, n) for n in range(50)]
MANIFEST = Manifest(
    made_at="2026-01-01T00:00:00+00:00",
    server_version="1.0",
    revision="f039d5916753",
    tables=(DumpedTable(name="events", columns=("seq", "text"), rows=len(ROWS)),),
    key_fingerprint="-",
    has_key=True,
)


def backup(tmp_path: Path) -> bytes:
    key = tmp_path / "secret.key"
    key.write_bytes(b"key")
    file = io.BytesIO()
    with writing(file) as writer:
        parts = Parts(writer, "events")
        for row in ROWS:
            parts.write(row)
        parts.flush()
        writer.add_file("data/secret.key", key)
        writer.finish(MANIFEST)
    return file.getvalue()


def test_what_comes_out_is_what_went_in(tmp_path: Path) -> None:
    file = io.BytesIO(backup(tmp_path))
    assert verified(file).tables == MANIFEST.tables
    read = {entry.name: entry.content.read() for entry in entries(file)}
    assert read.pop("manifest.json")
    assert read == {"database/events/000001": b"".join(ROWS), "data/secret.key": b"key"}


def test_rows_are_cut_into_parts_that_fit_into_memory() -> None:
    file = io.BytesIO()
    row = b"x" * 1000 + b"\n"
    count = 2 * PART_BYTES // len(row) + 10
    with writing(file) as writer:
        parts = Parts(writer, "events")
        for _ in range(count):
            parts.write(row)
        parts.flush()
        writer.finish(MANIFEST)
    verified(file)
    sizes = [entry.size for entry in entries(file) if entry.name.startswith("database/")]
    assert len(sizes) == 3
    assert sum(sizes) == count * len(row)
    assert max(sizes) < PART_BYTES + len(row)


def test_a_file_that_was_cut_off_is_refused_wherever(tmp_path: Path) -> None:
    whole = backup(tmp_path)
    for length in range(len(whole)):
        with pytest.raises(Refused, match=r"damaged|no backup"):
            verified(io.BytesIO(whole[:length]))


def test_a_changed_bit_is_noticed_wherever(tmp_path: Path) -> None:
    whole = bytearray(backup(tmp_path))
    for at in range(len(whole)):
        if 3 <= at <= 9:  # flags, time and system in gzip's head mean nothing to us
            continue
        whole[at] ^= 0x10
        with pytest.raises(Refused):
            verified(io.BytesIO(bytes(whole)))
        whole[at] ^= 0x10


def repacked(whole: bytes, **changes: bytes) -> io.BytesIO:
    """Change members behind the manifest's back, in a file that gzip and tar find well."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(whole), mode="r:gz") as old,
        tarfile.open(fileobj=out, mode="w:gz") as new,
    ):
        for info in old:
            content = old.extractfile(info)
            assert content is not None
            data = changes.get(info.name.rpartition("/")[2].replace(".", "_"), content.read())
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return out


def test_a_member_that_is_another_than_the_manifest_says_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"data/secret\.key is not as it was written"):
        verified(repacked(backup(tmp_path), secret_key=b"another key"))


def test_a_later_format_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="format 2, this server reads up to 1") as refused:
        verified(repacked(backup(tmp_path), format=b"pyk8s-backup 2\n"))
    assert "newer version" in refused.value.fix


@pytest.mark.parametrize(
    "data",
    [b"", b"PGDMP", gzip.compress(b""), gzip.compress(b"SELECT 1;" * 100)],
    ids=["empty", "pg_dump", "empty gzip", "gzipped sql"],
)
def test_something_else_is_called_no_backup(data: bytes) -> None:
    with pytest.raises(Refused):
        verified(io.BytesIO(data))


@pytest.mark.parametrize(
    "name", ["data/../../etc/passwd", "/etc/passwd", "data", "other/file", "..", "data/x/../../y"]
)
def test_a_member_stays_in_its_place(name: str) -> None:
    with pytest.raises(Refused, match="no file of a backup"):
        check_name(name)


def test_a_file_that_grows_meanwhile_is_taken_as_it_was(tmp_path: Path) -> None:
    """The spool of a running create does."""
    path = tmp_path / "spool"
    path.write_bytes(b"a line\n")
    file = io.BytesIO()
    with writing(file) as writer, path.open("ab") as spool:
        writer.add_file("data/spool", path)
        spool.write(b"another\n")
        writer.finish(MANIFEST)
    verified(file)
    assert next(entries(file)).size == len(b"a line\n")
