"""Headers by which a client asks to be answered as somebody else: `kubectl --as` (pure).

They pass as they came. Whether the client may do so is decided by the API server, which such a
request reaches under an identity of the client's own, never under one that may impersonate more.
"""

from typing import Final

from server.drivers.kube_identity import PEOPLE
from server.proxy.headers import named_in_connection
from server.proxy.refusals import Headers, Refusal

PREFIX: Final = b"impersonate-"
ONCE: Final = frozenset({b"impersonate-user", b"impersonate-uid"})
GROUP: Final = b"impersonate-group"
EXTRA: Final = b"impersonate-extra-"
MAX_HEADERS: Final = 100
"""An API server asks its authorizers for each of them, and for each kind of impersonation."""
MAX_BYTES: Final = 16 * 1024
MAX_SAID_CHARS: Final = 200


def person(username: str) -> Headers:
    """Return the headers by which the proxy itself speaks for a user."""
    return [(b"impersonate-user", username.encode()), (GROUP, PEOPLE.encode())]


def wanted(headers: Headers) -> Headers:
    """Return the headers by which a client asks to be somebody else; none if it does not.

    One that is left out in silence would be answered for the client: `kubectl auth can-i --as`
    would say yes to everything. So whatever may be meant for one passes or is refused.

    Raises:
        Refusal: they could be read in two ways, or are too many or too long.
    """
    found = [(name.lower(), value) for name, value in headers if _is_meant(name)]
    if not found:
        return []
    names = [name for name, _ in found]
    for name in names:
        said = name.decode("latin-1")
        if name not in ONCE and name != GROUP and not _is_extra(name):
            raise _refused(f"Kubernetes has no header {said}")
        if name in ONCE and names.count(name) > 1:
            raise _refused(f"the header {said} comes more than once")
    if named_in_connection(headers).intersection(names):
        raise _refused("Connection names a header that says who asks")
    if len(found) > MAX_HEADERS:
        raise _refused(f"more than {MAX_HEADERS} headers say who asks")
    if sum(len(name) + len(value) for name, value in found) > MAX_BYTES:
        raise _refused(f"the headers that say who asks have more than {MAX_BYTES} bytes")
    for _, value in found:
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise _refused("a header that says who asks is not UTF-8") from error
    return found


def in_words(headers: Headers) -> str:
    """Return whom the headers name, for a log."""
    said = ", ".join(
        f"{name.removeprefix(PREFIX).decode('latin-1')}={value.decode(errors='replace')}"
        for name, value in headers
    )
    return "".join(each if each.isprintable() else "?" for each in said[:MAX_SAID_CHARS])


def _is_meant(name: bytes) -> bool:
    # Servers have been known to take an underscore for a hyphen; Kubernetes does not.
    return name.lower().replace(b"_", b"-").startswith(PREFIX)


def _is_extra(name: bytes) -> bool:
    return name.startswith(EXTRA) and name != EXTRA


def _refused(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)
