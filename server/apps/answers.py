"""What the listener of apps says itself: small pages for people, and the way in by a link."""

from html import escape
from typing import Final

from server.apps.headers import COOKIE, SECURE_COOKIE
from server.proxy.refusals import RETRY_SECONDS, Headers, OwnAnswer

_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem }}
body {{ margin: 15vh auto; padding: 0 1rem }}
h1 {{ font-size: 1.35rem; margin: 0 0 .5rem }}
p {{ margin: .25rem 0; opacity: .8 }}
</style>
<h1>{title}</h1><p>{detail}</p><p>{fix}</p></html>
"""


class Page(OwnAnswer):
    """A page that says what is wrong, and what to do."""

    def __init__(self, code: int, title: str, detail: str, fix: str) -> None:
        super().__init__(title)
        self.code = code
        self._words = (title, detail, fix)

    def body(self) -> bytes:
        """Write the page."""
        title, detail, fix = map(escape, self._words)
        return _PAGE.format(title=title, detail=detail, fix=fix).encode()

    def headers(self, body: bytes) -> Headers:
        """Give the headers of the answer."""
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]
        if self.code == 503:  # noqa: PLR2004
            headers.append((b"retry-after", str(RETRY_SECONDS).encode()))
        return headers


class LetIn(OwnAnswer):
    """The link is good: it becomes a cookie, and leaves the address bar."""

    code = 303

    def __init__(self, location: bytes, secret: str, *, seconds: int, is_secure: bool) -> None:
        super().__init__("let in")
        self._location = location
        self._cookie = (
            (SECURE_COOKIE if is_secure else COOKIE)
            + f"={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax".encode()
            + (b"; Secure" if is_secure else b"")
        )

    def body(self) -> bytes:
        """Say nothing."""
        return b""

    def headers(self, body: bytes) -> Headers:
        """Give the headers of the answer."""
        return [
            (b"location", self._location),
            (b"set-cookie", self._cookie),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"no-referrer"),
        ]


def unknown() -> Page:
    """Say that the host name stands for nothing."""
    return Page(
        404,
        "No such app",
        "Nothing is published under this address, or not any more.",
        "Ask whoever gave you the address, or publish it again on the cluster's page.",
    )


def private() -> Page:
    """Say that a link is needed."""
    return Page(
        401,
        "This app is private",
        "It opens only with a link.",
        "Open it from the tab Access of its cluster, or ask its owner for a link.",
    )


def over() -> Page:
    """Say that the link's time is over."""
    return Page(
        410,
        "This link has ended",
        "Its time is over, or its owner has ended it.",
        "Ask its owner for a new one, or open the app from the page of its cluster.",
    )


def from_elsewhere() -> Page:
    """Say that another site's page may not use this person's right."""
    return Page(
        403,
        "Another site asked for this",
        "An app answers its own pages, and people who open it; it cannot be embedded elsewhere.",
        "Open it in a tab of its own.",
    )


def not_ready(phase: str) -> Page:
    """Say that the cluster cannot be reached now."""
    return Page(
        503,
        "The cluster is not ready",
        f"The cluster of this app is {phase}.",
        "Come back when it is ready; its page shows it.",
    )


def too_many(most: int) -> Page:
    """Say that the owner of the app has too many of them open."""
    return Page(
        503,
        "Too many apps are open",
        f"Something is open in {most} apps of this user, and there may be no more at once.",
        "Close the pages of other apps, or wait until their downloads are done.",
    )


def silent(place: str, why: str) -> Page:
    """Say that the app does not answer."""
    return Page(
        502,
        "The app does not answer",
        f"{place}: {why}.",
        "See whether its pod is Running, and listens on that port on all addresses.",
    )
