"""Hostile lines become harmless text. Pure.

A line of output may hold anything: broken UTF-8, terminal control sequences, text
direction marks, secrets, a megabyte without an end. What comes out is at most
`PIECE_BYTES` of UTF-8 a piece, without control characters but tab and SGR colours,
with secrets blanked. The common line, short plain ASCII, takes the short way.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

PIECE_BYTES: Final = 16 * 1024
"""A longer line is cut into pieces of at most so many bytes of UTF-8."""

CARRY_CHARS: Final = 1024
"""At the end of a piece that goes on, at most so much waits for the next one."""

MAX_KEY_LINES: Final = 200
"""After so many lines a private key without an end is taken to be over."""

REDACTED: Final = "[redacted]"

_PLAIN = re.compile(rb"[\t\x20-\x7e]*").fullmatch
# Cheap to search, never wrong in the direction that matters: text without a hit has no secret.
_TOKEN_END = re.compile(rb"\.[a-z0-9]{16}").search
_SECRET_WORDS: Final = (
    b"-----begin ",
    b"-----end ",
    b"-data:",
    b"-hash",
    b"bearer",
    b"cookie:",
    b"passw",
    b"secret",
    b"certificate-key",
    b"token",
)

_SECRETS: Final = (
    # A bootstrap token of kubeadm.
    (re.compile(r"(?<![a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9.])"), REDACTED),
    (re.compile(r"(?i)((?:client-key|client-certificate|certificate-authority)-data:\s*)\S+"),
     rf"\1{REDACTED}"),
    (re.compile(r"(?i)(discovery-token-ca-cert-hash[=\s]+)sha256:[0-9a-f]{64}"), rf"\1{REDACTED}"),
    (re.compile(r"(?i)((?:authorization:\s*)?bearer\s+)[\w.~+/=-]{8,}"), rf"\1{REDACTED}"),
    (re.compile(r"(?i)((?:set-)?cookie:\s*)\S.*"), rf"\1{REDACTED}"),
    (re.compile(r"(?i)(\b(?:password|passwd|secret|certificate-key|token)[=:]\s*)(?!\[redacted)[^\s,;]{12,}"),
     rf"\1{REDACTED}"),
)  # fmt: skip
_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")

# Control characters but tab, carriage return, escape and the bell, which may end a sequence; C1;
# direction marks; what breaks a line.
_DROPPED = re.compile(
    "[\x00-\x06\x08\x0a-\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
_ESCAPE = re.compile(
    "\x1b(?:"
    r"\[(?P<sgr>[0-9;:]*)m"
    r"|\[[0-?]*[ -/]*[@-~]"  # any other control sequence
    "|[\\]PX^_][^\x1b\x07]*(?:\x07|\x1b\\\\|$)"  # a string: title, device control ...
    r"|[ -/]*[0-~]"  # two characters
    ")?"
)
_OPEN_ESCAPE = re.compile("\x1b(?:\\[[0-?]*[ -/]*|[\\]PX^_][^\x1b\x07]*\x1b?|[ -/]*)$")
_SGR_PLAIN = frozenset(
    ["", *map(str, [0, 1, 2, 3, 4, 7, 9, 22, 23, 24, 27, 29, 39, 49])]
    + [str(n) for start in (30, 40, 90, 100) for n in range(start, start + 8)]
)
_SGR_EXTENDED = re.compile(r"(?:[34]8;(?:5;\d{1,3}|2;\d{1,3};\d{1,3};\d{1,3}))")


class LineCleaner:
    """Cleans the lines of one stream, in order. Its state survives as JSON."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self._carry: str = state.get("carry", "")
        self._bytes: bytes = state.get("bytes", "").encode("latin-1")
        self._key_lines: int = state.get("key_lines", 0)
        self._quiet = not (self._carry or self._bytes or self._key_lines)

    def state(self) -> dict[str, Any]:
        """Give what `__init__` needs to go on. Empty between ordinary lines."""
        if self._quiet:
            return {}
        return {
            "carry": self._carry,
            "bytes": self._bytes.decode("latin-1"),
            "key_lines": self._key_lines,
        }

    def clean(
        self, raw: bytes, *, goes_on: bool = False, innocent: bool = False
    ) -> Iterable[tuple[str, bool]]:
        """Clean a line, or with `goes_on` a part of one. Gives texts; True: the next continues it.

        `raw` holds no line feed. At least one text comes out of a whole line. `innocent`: the
        caller has found that `may_hold_secret` is false for a larger text around it.
        """
        if (
            self._quiet
            and not goes_on
            and len(raw) <= PIECE_BYTES
            and _PLAIN(raw)
            and (innocent or not may_hold_secret(raw))
        ):
            return ((raw.decode("ascii"), False),)
        return self._slowly(raw, goes_on=goes_on)

    def _slowly(self, raw: bytes, *, goes_on: bool) -> Iterator[tuple[str, bool]]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.setstate((self._bytes, 0))
        text = self._carry + decoder.decode(raw, final=not goes_on)
        self._bytes = decoder.getstate()[0]
        cut = _safe_cut(text) if goes_on else len(text)
        text, self._carry = text[:cut], text[cut:]
        text = self._redact(strip_controls(overwrite(text)))
        self._quiet = not (self._carry or self._bytes or self._key_lines)
        if text or not goes_on:
            *pieces, last = split_utf8(text)
            for piece in pieces:
                yield piece, True
            yield last, goes_on

    def _redact(self, text: str) -> str:
        if self._key_lines:
            self._key_lines += 1
            end = _KEY_END.search(text)
            if end is None and self._key_lines <= MAX_KEY_LINES:
                return REDACTED
            self._key_lines = 0
            text = REDACTED + text[end.end() :] if end else text
        begin = _KEY_BEGIN.search(text)
        if begin is not None:
            end = _KEY_END.search(text, begin.end())
            if end is None:
                self._key_lines = 1
                text = text[: begin.start()] + REDACTED
            else:
                text = text[: begin.start()] + REDACTED + text[end.end() :]
        return redact(text)


def clean_text(data: bytes) -> str:
    """Clean a whole file of lines."""
    cleaner = LineCleaner()
    lines = data.removesuffix(b"\n").split(b"\n")
    return "".join(f"{text}\n" for line in lines for text, _ in cleaner.clean(line))


def may_hold_secret(data: bytes) -> bool:
    """Tell whether it is worth looking for secrets; quick even for many lines at once."""
    lower = data.lower()
    return any(word in lower for word in _SECRET_WORDS) or _TOKEN_END(data) is not None


def redact(text: str) -> str:
    """Blank the secrets that fit on one line."""
    if may_hold_secret(text.encode()):
        for pattern, replacement in _SECRETS:
            text = pattern.sub(replacement, text)
    return text


def overwrite(text: str) -> str:
    r"""Give what a terminal shows at the end of a line in which `\r` goes back to the start."""
    if "\r" not in text:
        return text
    parts = text.split("\r")
    return next((part for part in reversed(parts) if strip_controls(part).strip()), parts[-1])


def strip_controls(text: str) -> str:
    """Drop every control character and sequence but tab and SGR colours."""
    text = _DROPPED.sub("", text.replace("\r", ""))
    if "\x1b" in text:
        text = _ESCAPE.sub(_keep_colour, text)
    return text.replace("\x07", "")


def strip_colours(text: str) -> str:
    """Drop what `strip_controls` left."""
    return _ESCAPE.sub("", text) if "\x1b" in text else text


def split_utf8(text: str, limit: int = PIECE_BYTES) -> list[str]:
    """Cut a text into pieces of at most `limit` bytes of UTF-8, between characters."""
    data = text.encode()
    if len(data) <= limit:
        return [text]
    pieces = []
    start = 0
    while start < len(data):
        end = min(start + limit, len(data))
        # A byte 10xxxxxx is in the middle of a character.
        while end < len(data) and data[end] & 0xC0 == 0x80:  # noqa: PLR2004
            end -= 1
        pieces.append(data[start:end].decode())
        start = end
    return pieces


def _keep_colour(match: re.Match[str]) -> str:
    sgr = match.group("sgr")
    if sgr is None:
        return ""
    rest = _SGR_EXTENDED.sub("", sgr)
    return match.group() if all(part in _SGR_PLAIN for part in rest.split(";")) else ""


def _safe_cut(text: str) -> int:
    """Say how much of an unfinished line can go without tearing a word or a sequence apart."""
    floor = max(0, len(text) - CARRY_CHARS)
    blank = max(text.rfind(" ", floor), text.rfind("\t", floor))
    cut = blank + 1 if blank >= 0 else len(text)
    open_escape = _OPEN_ESCAPE.search(text, floor)
    return min(cut, open_escape.start()) if open_escape else cut
