"""What a client may keep and ask for again: documents and files with an ETag (RFC 9110, 13)."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from server.api.compression import MIN_BYTES, accepts_gzip, gzip

REVALIDATE: Final = "no-cache"
"""Keep it, and ask whether it is still so before it is used: an update of the server changes it."""

PRIVATE: Final = "private, no-cache"
"""The same for one browser alone: who asks has signed in."""

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""A larger file is sent as it is: what is compressed is kept in memory."""

_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')
_TEXTS: Final = frozenset({".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest"})


def tag_of(body: bytes) -> str:
    """Return a strong ETag of a content."""
    return f'"{hashlib.sha256(body).hexdigest()[:24]}"'


def matches(request_headers: Headers, etag: str) -> bool:
    """Return whether `If-None-Match` names an ETag; weak and strong ones are the same to it."""
    given = ", ".join(request_headers.getlist("if-none-match"))
    return given.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(given)


@dataclass(frozen=True, slots=True)
class Document:
    """A text that stays the same while the server runs, compressed once."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    _gzipped: bytes = field(init=False)
    _tag: str = field(init=False)

    def __post_init__(self) -> None:
        """Compress it, and sign it."""
        object.__setattr__(self, "_gzipped", gzip(self.body))
        object.__setattr__(self, "_tag", tag_of(self.body))

    def answer(self, request_headers: Headers) -> Response:
        """Return it, or 304 where the client has it."""
        is_small = len(self.body) < MIN_BYTES
        zipped = not is_small and accepts_gzip(request_headers)
        headers = {
            "Cache-Control": REVALIDATE,
            "ETag": f'{self._tag[:-1]}-gzip"' if zipped else self._tag,
            **({} if is_small else {"Vary": "Accept-Encoding"}),
            **self.headers,
        }
        if matches(request_headers, headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if zipped:
            headers["Content-Encoding"] = "gzip"
        body = self._gzipped if zipped else self.body
        return Response(body, media_type=self.media_type, headers=headers)


def revalidated(response: Response, request_headers: Headers) -> Response:
    """Let a client keep an answer, and answer 304 where it has it still.

    The ETag is a weak one: whether the answer is compressed makes no difference to it.
    """
    if response.status_code != HTTPStatus.OK:
        return response
    etag = f"W/{tag_of(bytes(response.body))}"
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = PRIVATE
    response.headers.add_vary_header("Accept-Encoding")
    return NotModifiedResponse(response.headers) if matches(request_headers, etag) else response


class Files(StaticFiles):
    """Files of a folder; texts are compressed once, one after the other, and kept in memory."""

    def __init__(self, directory: str, *, check_dir: bool = True) -> None:
        super().__init__(directory=directory, check_dir=check_dir)
        self._gzipped: dict[str, tuple[str, bytes]] = {}
        """By path: the ETag of the file, and its content compressed."""
        self._compressing = anyio.Lock()

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, compressed where the client takes that, or 304."""
        response = await super().get_response(path, scope)
        response.headers.setdefault("Cache-Control", REVALIDATE)
        if not isinstance(response, FileResponse) or not _is_text(response):
            return response
        response.headers.add_vary_header("Accept-Encoding")
        headers = Headers(scope=scope)
        if "range" in headers or not accepts_gzip(headers):
            return response
        kept = await self._compressed(str(response.path), response.headers["etag"])
        zipped = response.headers.mutablecopy()
        zipped["ETag"] = f'{response.headers["etag"][:-1]}-gzip"'
        if matches(headers, zipped["ETag"]):
            return NotModifiedResponse(zipped)
        zipped["Content-Encoding"] = "gzip"
        del zipped["content-length"]
        del zipped["accept-ranges"]
        return Response(kept, headers=dict(zipped))

    async def _compressed(self, path: str, etag: str) -> bytes:
        async with self._compressing:
            tag, kept = self._gzipped.get(path, ("", b""))
            if tag != etag:
                raw = await anyio.Path(path).read_bytes()
                kept = await anyio.to_thread.run_sync(gzip, raw)
                self._gzipped[path] = etag, kept
        return kept


def _is_text(response: FileResponse) -> bool:
    size = int(response.headers.get("content-length", "0"))
    suffix = "." + str(response.path).rpartition(".")[2]
    return suffix in _TEXTS and MIN_BYTES <= size <= MAX_FILE_BYTES
