"""What PYK8S_DATABASE_URL may ask for: an address, and how far its TLS is to be trusted. Pure.

The words are those of libpq. asyncpg knows them too, but SQLAlchemy passes a URL's parameters on
as arguments and fails on `sslmode`, and both take a word that they do not know for a setting of
PostgreSQL.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

Mode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
MODES: Final[tuple[str, ...]] = get_args(Mode)
VERIFYING: Final = frozenset({"verify-ca", "verify-full"})
SYSTEM: Final = "system"
"""`sslrootcert=system`: the authorities that this machine trusts."""

_TLS: Final = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_PLACE: Final = ("host", "port", "user", "password", "dbname", "database")
_ENCODE: Final = (
    "in a user's name or a password, write # as %23, ? as %3F, @ as %40, / as %2F and % as %25"
)


@dataclass(frozen=True, slots=True)
class Tls:
    """How a connection is protected. `mode` None: nothing was said."""

    mode: Mode | None = None
    root: Path | None = None
    """Authorities that vouch for PostgreSQL, as PEM. None with a verifying mode: the machine's."""
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A PostgreSQL address, taken apart."""

    plain: str
    """The address without what concerns TLS."""
    tls: Tls


def parse(url: str) -> DatabaseUrl:
    """Take an address apart.

    Raises:
        ValueError: a parameter is not known, or does not go with another; in words for a person.
    """
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError("has to begin with postgresql://, the one database it works with")
    if "#" in rest:
        raise ValueError(f"has a #, after which nothing would be read; {_ENCODE}")
    try:
        parts = urlsplit(f"postgresql://{rest}")
        _ = parts.port  # read, and checked, only now
    except ValueError:
        raise ValueError(f"has no host and port that can be read; {_ENCODE}") from None
    if "@" in parts.query or rest.count("?") > 1:
        raise ValueError(f"has a ? before its parameters; {_ENCODE}")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = given.keys() - {*_TLS, *_PLACE}
    if unknown:  # not named: it may be the rest of a password that has a ?
        raise ValueError(
            f"has a parameter that is not known; known are {', '.join((*_TLS, *_PLACE))}. {_ENCODE}"
        )
    kept = {name: value for name, value in given.items() if name in _PLACE}
    query = f"?{urlencode(kept, quote_via=quote)}" if kept else ""
    return DatabaseUrl(f"postgresql://{parts.netloc}{parts.path}{query}", _tls(given))


def _tls(given: Mapping[str, str]) -> Tls:
    mode = given.get("sslmode")
    if mode is not None and mode not in MODES:
        raise ValueError(f"has another sslmode than {', '.join(MODES)}")
    root = given.get("sslrootcert")
    if root is not None and mode not in VERIFYING:
        raise ValueError(
            "has sslrootcert, but verifies nothing: say sslmode=verify-full (or verify-ca, which "
            "takes any host name)"
        )
    if mode in VERIFYING and not root:
        raise ValueError(
            f"has sslmode={mode}, but no authority to verify against: say sslrootcert=FILE, or "
            f"sslrootcert={SYSTEM} for those that this machine trusts"
        )
    certificate, key = given.get("sslcert"), given.get("sslkey")
    if (certificate is None) != (key is None):
        raise ValueError("has one of sslcert and sslkey; they belong together")
    if certificate is not None and mode not in {*VERIFYING, "require"}:
        raise ValueError("has sslcert, but does not ask for TLS: say sslmode=verify-full")
    return Tls(
        cast("Mode | None", mode),
        Path(root) if root and root != SYSTEM else None,
        Path(certificate) if certificate is not None else None,
        Path(key) if key is not None else None,
    )
