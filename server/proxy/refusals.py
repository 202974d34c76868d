"""What the proxy says itself, in the words of Kubernetes, which kubectl shows to people."""

from typing import Final

import orjson

Headers = list[tuple[bytes, bytes]]
RETRY_SECONDS: Final = 2


class OwnAnswer(Exception):
    """The answer is ours: the request is not passed on."""

    code: int

    def body(self) -> bytes:
        """Write what the client reads."""
        raise NotImplementedError

    def headers(self, body: bytes) -> Headers:
        """Give the headers of the answer."""
        raise NotImplementedError


class Refusal(OwnAnswer):
    """A request is not passed on, or nobody answered it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        """One of Kubernetes' own reasons: `Unauthorized`, `NotFound`."""
        self.message = message

    def body(self) -> bytes:
        """Write the Status of Kubernetes' API."""
        return orjson.dumps(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": self.message,
                "reason": self.reason,
                "code": self.code,
            }
        )

    def headers(self, body: bytes) -> Headers:
        """Give the headers of the answer."""
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if self.code == 401:  # noqa: PLR2004
            headers.append((b"www-authenticate", b"Bearer"))
        if self.code in {429, 503}:
            headers.append((b"retry-after", str(RETRY_SECONDS).encode()))
        return headers


def unauthorized(message: str) -> Refusal:
    """Say that the credential opens nothing."""
    return Refusal(401, "Unauthorized", message)


def unavailable(message: str) -> Refusal:
    """Say that there is no answer at this moment."""
    return Refusal(503, "ServiceUnavailable", message)
