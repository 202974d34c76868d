"""The file of a backup: what comes out is what went in, or the file is refused in words."""

import gzip
import hashlib
import io
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from server.backup.container import (
    PART_BYTES,
    DumpedTable,
    Manifest,
    Member,
    Parts,
    Refused,
    check_name,
    entries,
    verified,
    writing,
)
from server.backup.files import Stage

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
    "name",
    [
        "",
        ".",
        "..",
        "data",
        "data/",
        "data/tls",
        "other/file",
        "/etc/passwd",
        "//data/tls/file",
        "data//etc/passwd",
        "data///etc/passwd",
        "data/tls//etc/passwd",
        "data/../../etc/passwd",
        "data/tls/../../file",
        "data/..",
        "data/tls/..",
        "./data/secret.key",
        "data/./secret.key",
        "data/secret.key/",
        "data/secret.key/file",
        "data/Secret.key",
        "data/TLS/file",
        "DATA/secret.key",
        "data/postgres/PG_VERSION",
        "data/server.pid",
        "data/.restore/file",
        "data\\tls\\file",
        "data/tls\\..\\file",
        "data/tls/\0file",
        "data/tls/a\nfile",
        "data/tls/\x1b[2J",
        "data/tls/" + "n" * 256,
        "data/tls/" + "n/" * 600 + "n",
        "database/events",
        "database/events/000001/more",
        "database//events/000001",
        "database/../events/000001",
    ],
)
def test_a_member_stays_in_its_place(name: str) -> None:
    with pytest.raises(Refused, match="no file of a backup"):
        check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "database/events/000001",
        "data/secret.key",
        "data/host-id",
        "data/tls/ca.pem",
        "data/tls/..file",
        "data/tls/back\\slash",
        "data/attempts/0190/journal/" + "n" * 255,
        "data/attempts/J\u00fcrgen",
    ],
)
def test_a_member_of_a_server_passes(name: str) -> None:
    check_name(name)


Described = tuple[str, bytes, dict[str, Any]]


def made_of(*members: Described) -> io.BytesIO:
    """Make a backup whose manifest lists these members as they are."""
    out = io.BytesIO()
    known = [
        Member(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data, _ in members
    ]
    manifest = MANIFEST.model_copy(update={"members": tuple(known)}).model_dump_json().encode()
    head: Described = ("format", b"pyk8s-backup 1\n", {})
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data, changes in (head, *members, ("manifest.json", manifest, {})):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in changes.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return out


@pytest.mark.parametrize(
    "changes",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc"},
        {"type": tarfile.LNKTYPE, "linkname": "data/secret.key"},
        {"type": tarfile.DIRTYPE},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
        {"type": tarfile.BLKTYPE},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.CONTTYPE},
        {"type": tarfile.GNUTYPE_SPARSE},
        {"type": tarfile.GNUTYPE_LONGNAME},
        {"type": tarfile.XGLTYPE},
        {"pax_headers": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}},
        {"pax_headers": {"GNU.sparse.size": "1000000000000"}},
        {"pax_headers": {"size": "1000000000000"}},
        {"pax_headers": {"path": "data/tls/file", "linkpath": "/etc"}},
    ],
    ids=str,
)
def test_only_regular_files_are_members(changes: dict[str, Any]) -> None:
    verified(made_of(("data/tls/file", b"", {})))
    with pytest.raises(Refused, match=r"no file of a backup|something else than the path"):
        verified(made_of(("data/tls/file", b"", changes)))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["data/tls/a", "data/tls/a"], "is there twice"),
        (["data/tls/a", "data/tls/a-b", "data/tls/a/b"], "is a file and a folder"),
        (["data/tls/a/b", "data/tls/a"], "is a file and a folder"),
    ],
)
def test_two_members_never_have_one_place(names: list[str], told: str) -> None:
    with pytest.raises(Refused, match=told):
        verified(made_of(*((name, b"x", {}) for name in names)))


def test_a_path_in_an_extended_header_is_one_like_others() -> None:
    long = "data/attempts/" + "n" * 200
    assert verified(made_of((long, b"x", {}))).members[0].name == long
    with pytest.raises(Refused, match="no file of a backup"):
        verified(made_of(("data//tmp/" + "n" * 200, b"x", {})))


class Zeros(io.RawIOBase):
    """As many bytes as are asked for, made when they are read."""

    def read(self, size: int = -1) -> bytes:
        return b"0" * size


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("manifest.json", tarfile.REGTYPE, "16777216 is the most"),
        ("data/tls/file", tarfile.XHDTYPE, "65536 is the most"),
        ("data/tls/file", tarfile.XGLTYPE, "no file of a backup"),
        ("data/tls/file", tarfile.GNUTYPE_LONGNAME, "no file of a backup"),
        ("data/tls/file", tarfile.GNUTYPE_LONGLINK, "no file of a backup"),
    ],
)
def test_what_unpacks_to_much_is_refused_before_it_is_in_memory(
    name: str, kind: bytes, told: str
) -> None:
    size = 200 * 2**20
    bomb = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        head = tarfile.TarInfo("format")
        head.size = len(b"pyk8s-backup 1\n")
        archive.addfile(head, io.BytesIO(b"pyk8s-backup 1\n"))
        info = tarfile.TarInfo(name)
        info.size, info.type = size, kind
        archive.addfile(info, Zeros())
    assert len(bomb.getbuffer()) < 2 * 2**20
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=told):
            verified(bomb)
        assert tracemalloc.get_traced_memory()[1] < 24 * 2**20
    finally:
        tracemalloc.stop()


def test_more_members_than_a_manifest_lists_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    many: list[Described] = [(f"data/tls/{number}", b"", {}) for number in range(100)]
    verified(made_of(*many))
    monkeypatch.setattr("server.backup.container.MANIFEST_BYTES", 10_000)
    with pytest.raises(Refused, match="more members than a manifest can list"):
        verified(made_of(*many))
    with (
        pytest.raises(Refused, match="more than its manifest can list"),
        writing(io.BytesIO()) as writer,
    ):
        for name, data, _ in many:
            writer.add(name, data)
        writer.finish(MANIFEST)


def test_a_chain_of_extended_headers_is_refused() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        head = tarfile.TarInfo("format")
        head.size = len(b"pyk8s-backup 1\n")
        archive.addfile(head, io.BytesIO(b"pyk8s-backup 1\n"))
        for _ in range(5000):
            info = tarfile.TarInfo("data/tls/file")
            info.type, info.size = tarfile.XHDTYPE, len(b"12 path=abc\n")
            archive.addfile(info, io.BytesIO(b"12 path=abc\n"))
    with pytest.raises(Refused, match="no file of a backup"):
        verified(out)


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "tls/../../outside"])
def test_a_stage_lets_no_name_out(name: str, tmp_path: Path) -> None:
    with Stage(tmp_path / "data") as stage, pytest.raises(ValueError, match="leads out"):
        stage.create(name, 0o600)


def test_a_stage_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with Stage(tmp_path / "data") as stage:
        (stage.folder / "tls").symlink_to(outside)
        with pytest.raises(NotADirectoryError):
            stage.create("tls/file", 0o600)
    assert list(outside.iterdir()) == []


def test_a_file_that_grows_meanwhile_is_taken_as_it_was(tmp_path: Path) -> None:
    """The spool of a running create does."""
    path = tmp_path / "spool"
    path.write_bytes(b"a line\n")
    file = io.BytesIO()
    with writing(file) as writer, path.open("ab") as spool:
        writer.add_file("data/attempts/spool", path)
        spool.write(b"another\n")
        writer.finish(MANIFEST)
    verified(file)
    assert next(entries(file)).size == len(b"a line\n")
