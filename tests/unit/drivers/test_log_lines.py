"""Hostile lines: what comes out is harmless, whole, and in pieces that fit."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.drivers.log_lines import (
    MAX_KEY_LINES,
    PIECE_BYTES,
    REDACTED,
    LineCleaner,
    split_utf8,
    strip_colours,
    strip_controls,
)


def clean(*lines: bytes) -> list[str]:
    cleaner = LineCleaner()
    return [text for line in lines for text, _ in cleaner.clean(line)]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"", ""),
        (b"tab\tstays", "tab\tstays"),
        ("grüße 📦".encode(), "grüße 📦"),
        (b"caf\xe9 \xff\xfe", "caf\ufffd \ufffd\ufffd"),
        (b"nul\x00bell\x07back\x08del\x7f", "nulbellbackdel"),
        (b"\x1b[32mgreen\x1b[0m", "\x1b[32mgreen\x1b[0m"),
        (b"\x1b[1;38;5;208mbold orange\x1b[m", "\x1b[1;38;5;208mbold orange\x1b[m"),
        (b"\x1b[8mhidden\x1b[0m", "hidden\x1b[0m"),
        (b"\x1b[2J\x1b[H\x1b[?7lclear\x1b[?7h", "clear"),
        (b"\x1b]0;title\x07after\x07", "after"),
        (b"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPdevice control\x1b\\x", "x"),
        (b"lone \x1b", "lone "),
        (b"\x1b\x00[31mred", "\x1b[31mred"),
        ("c1 \u0085\u009b31m bidi \u202eabc\u2066 sep\u2028".encode(), "c1 31m bidi abc sep"),
        (b"10%\r50%\r100%", "100%"),
        (b"windows\r", "windows"),
        (b"text\r\x1b[K", "text"),
    ],
)
def test_what_becomes_of_a_line(raw: bytes, text: str) -> None:
    assert clean(raw) == [text]


@pytest.mark.parametrize(
    "secret",
    [
        b"abcdef.0123456789abcdef",
        b"    client-key-data: LS0tLS1CRUdJTg==",
        b"  client-certificate-data: LS0tLS1CRUdJTg==",
        b"Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.e30.abc",
        b"set-cookie: pyk8s_session=0123456789; Path=/",
        b"password=correct-horse-battery",
        b"--discovery-token-ca-cert-hash sha256:" + b"a1" * 32,
        b"-----BEGIN EC PRIVATE KEY-----MHcCAQEE-----END EC PRIVATE KEY-----",
    ],
)
def test_secrets_are_blanked(secret: bytes) -> None:
    (text,) = clean(b"before " + secret)
    assert REDACTED in text
    assert text.startswith("before ")
    for part in secret.replace(b"=", b" ").replace(b":", b" ").split():
        if len(part) >= 16 and b"-" not in part:
            assert part.decode() not in text


@pytest.mark.parametrize(
    "line",
    [
        "kindest/node:v1.37.0@sha256:" + "a1" * 32,
        "k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow.(*Runner).Run.func1",
        "the token is not valid",
        "I1123 01:58:53.505176     178 initconfiguration.go:262] loading configuration",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert clean(line.encode()) == [line]


def test_a_private_key_over_several_lines_is_blanked_up_to_its_end() -> None:
    lines = clean(
        b"-----BEGIN RSA PRIVATE KEY-----", b"MIIEpAIBAAKCAQEA", b"c2VjcmV0",
        b"-----END RSA PRIVATE KEY----- done", b"after",
    )  # fmt: skip
    assert lines == [REDACTED, REDACTED, REDACTED, f"{REDACTED} done", "after"]


def test_a_private_key_without_an_end_does_not_swallow_the_log() -> None:
    lines = clean(b"-----BEGIN PRIVATE KEY-----", *[b"x"] * (MAX_KEY_LINES + 10))
    assert lines[-1] == "x"


def pieces(line: bytes, size: int) -> list[tuple[str, bool]]:
    """Clean a long line as the runner hands it over: in parts, the last one whole."""
    cleaner = LineCleaner()
    parts = [line[start : start + size] for start in range(0, len(line), size)] or [b""]
    out: list[tuple[str, bool]] = []
    for number, part in enumerate(parts):
        cleaner = LineCleaner(json.loads(json.dumps(cleaner.state())))
        out += cleaner.clean(part, goes_on=number + 1 < len(parts))
    return out


@pytest.mark.parametrize("char", ["x", "ü", "📦", "\xff"])
def test_a_megabyte_without_an_end_comes_out_whole_in_pieces_that_fit(char: str) -> None:
    line = (char * 1_000_000)[:1_000_000]
    out = pieces(line.encode(), PIECE_BYTES)
    assert "".join(text for text, _ in out) == line
    assert max(len(text.encode()) for text, _ in out) <= PIECE_BYTES
    assert [cont for _, cont in out] == [True] * (len(out) - 1) + [False]


def test_a_secret_across_two_parts_is_blanked() -> None:
    line = b"x " * 8188 + b"and abcdef.0123456789abcdef is the token"
    assert line.index(b"abcdef.") < PIECE_BYTES < line.index(b" is the")
    text = "".join(text for text, _ in pieces(line, PIECE_BYTES))
    assert "0123456789abcdef" not in text
    assert text.endswith(f"and {REDACTED} is the token")


@given(st.binary(max_size=400), st.integers(1, 50))
@settings(max_examples=300)
def test_parts_decode_like_the_whole(line: bytes, size: int) -> None:
    line = line.replace(b"\n", b"").replace(b"\r", b"").replace(b"\x1b", b"")
    whole = "".join(clean(line))
    assert "".join(text for text, _ in pieces(line, size)) == whole


@given(
    st.binary(max_size=600)
    | st.text(alphabet="\x1b[]0;m\\\x07\r8PX ab", max_size=80).map(str.encode)
)
@settings(max_examples=500)
def test_nothing_harmful_survives_and_cleaning_twice_changes_nothing(line: bytes) -> None:
    for text in clean(line.replace(b"\n", b"")):
        bare = strip_colours(text)
        assert not any(ord(char) < 0x20 and char != "\t" for char in bare)
        assert not any(0x7F <= ord(char) < 0xA0 for char in bare)
        assert strip_controls(text) == text
        assert clean(text.encode()) == [text]


@given(st.text(max_size=300), st.integers(4, 40))
def test_splitting_keeps_characters_whole(text: str, limit: int) -> None:
    parts = split_utf8(text, limit)
    assert "".join(parts) == text
    assert all(len(part.encode()) <= limit for part in parts)
