"""Links that open an app for whoever has them, for a time. Pure: signed, nothing is stored."""

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

PURPOSE: Final = "links of published apps"
PARAMETER: Final = b"pyk8s-link"
_FORMAT: Final = struct.Struct(">16sIQ")
_SIGNATURE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says."""

    app_id: UUID
    generation: int
    expires_at: datetime


class NoLink(Exception):
    """It is not one of ours."""


def sign(key: bytes, link: Link) -> str:
    """Write a link's secret part."""
    said = _FORMAT.pack(link.app_id.bytes, link.generation, int(link.expires_at.timestamp()))
    signed = said + hmac.digest(key, said, "sha256")[:_SIGNATURE_BYTES]
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def read(key: bytes, text: str) -> Link:
    """Read a link's secret part. Whether its time is over is for the caller to see.

    Raises:
        NoLink: it was not signed with this key.
    """
    try:
        signed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoLink from error
    said, signature = signed[:-_SIGNATURE_BYTES], signed[-_SIGNATURE_BYTES:]
    expected = hmac.digest(key, said, "sha256")[:_SIGNATURE_BYTES]
    if len(said) != _FORMAT.size or not hmac.compare_digest(signature, expected):
        raise NoLink
    app_id, generation, expires = _FORMAT.unpack(said)
    return Link(UUID(bytes=app_id), generation, datetime.fromtimestamp(expires, UTC))
