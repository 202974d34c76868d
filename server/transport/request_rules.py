"""Rules for the head of an HTTP/1.1 request that the parser does not enforce (RFC 9112). Pure."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

BAD_REQUEST: Final = 400
TOO_LARGE: Final = 431

_TARGET: Final = re.compile(rb"[!-~]+")
_HOST: Final = re.compile(rb"(?:[a-z0-9._~%!$&'()*+,;=-]*|\[[0-9a-f:.]+\])(?::[0-9]*)?", re.I)
_VERSIONS: Final = frozenset({"1.0", "1.1"})


class BadRequest(Exception):
    """A request is refused before any application sees it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def check_head(
    method: bytes, target: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]
) -> None:
    """Check that the head of a request has one meaning. `headers`: names in lower case.

    Raises:
        BadRequest: it has none, or two servers could read it in two ways.
    """
    if version not in _VERSIONS:
        raise _bad("only HTTP/1.0 and HTTP/1.1 are spoken here")
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    hosts = found.get(b"host", [])
    if len(hosts) > 1:
        raise _bad("there is more than one Host header")
    if not hosts and version == "1.1":
        raise _bad("there is no Host header")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise _bad("the Host header names no host")
    _check_target(method, target, hosts[0] if hosts else None)
    _check_body(version, found)


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a checked head announces a body."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in headers
    )


def _check_target(method: bytes, target: bytes, host: bytes | None) -> None:
    if method == b"CONNECT" or not _TARGET.fullmatch(target):
        raise _bad("the target of the request is no path")
    if target[:1] == b"/":
        return
    # The absolute form. Of two different hosts a server has to believe this one (RFC 9112, 3.2.2),
    # but what decides by the Host header would believe the other one.
    try:
        url = urlsplit(target)
    except ValueError as error:
        raise _bad("the target of the request is no URL") from error
    if url.scheme not in {b"http", b"https"} or not _HOST.fullmatch(url.netloc) or not url.netloc:
        raise _bad("the target of the request is neither a path nor a URL")
    if host is None or url.netloc.lower() != host.lower():
        raise _bad("the target of the request and its Host header name different hosts")


def _check_body(version: str, found: dict[bytes, list[bytes]]) -> None:
    codings, lengths = found.get(b"transfer-encoding", []), found.get(b"content-length", [])
    if codings and ([each.lower() for each in codings] != [b"chunked"] or version == "1.0"):
        raise _bad("the only Transfer-Encoding is chunked, in HTTP/1.1")
    if len(lengths) > 1 or (lengths and (codings or not lengths[0].isdigit())):
        raise _bad("the length of the body is not certain")


def _bad(detail: str) -> BadRequest:
    return BadRequest(BAD_REQUEST, detail)
