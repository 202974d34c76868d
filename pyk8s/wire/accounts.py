"""Users, sessions and tokens on the wire."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)

from pyk8s.wire.base import VISIBLE_TEXT_PATTERN, Answer, Ask, Timestamp

USERNAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$"
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 128
MAX_SETUP_CODE_LENGTH = 64


def _lower(name: object) -> object:
    return name.lower() if isinstance(name, str) else name


Username = Annotated[
    str,
    BeforeValidator(_lower),
    StringConstraints(pattern=USERNAME_PATTERN),
    WithJsonSchema({"type": "string", "pattern": USERNAME_PATTERN.replace("a-z", "A-Za-z")}),
]
"""A name without regard to case."""


class Scope(StrEnum):
    """What a token may do. A session may do all that its user may."""

    CLUSTERS_READ = "clusters:read"
    CLUSTERS_WRITE = "clusters:write"
    ACCESS = "access"
    ADMIN = "admin"


class Register(Ask):
    """A new account. The first one of a server becomes its admin."""

    username: Username
    password: Annotated[
        SecretStr, Field(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH)
    ]
    setup_code: Annotated[SecretStr, Field(max_length=MAX_SETUP_CODE_LENGTH)] | None = None
    """For the first account, where `setup_code_required` of the server says so."""


class Login(Ask):
    """A user proves who they are."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=MAX_PASSWORD_LENGTH)]


class User(Answer):
    """An account."""

    id: UUID
    username: str
    is_admin: bool
    created_at: Timestamp


class UserAnswer(Answer):
    """The account that was made or signed in."""

    user: User


class Quota(Answer):
    """How many clusters a user may have at once, and how long one may live."""

    clusters: int
    max_ttl_seconds: int


class QuotaUsage(Answer):
    """How many clusters a user has."""

    clusters: int


class Me(Answer):
    """Who the caller is, what they may do and how much of it is used."""

    user: User
    scopes: list[Scope]
    quota: Quota
    usage: QuotaUsage


def _distinct(scopes: list[Scope]) -> list[Scope]:
    return sorted(set(scopes))


class CreateToken(Ask):
    """A secret for a program."""

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=64, strip_whitespace=True),
        Field(json_schema_extra={"pattern": VISIBLE_TEXT_PATTERN}),
    ]
    scopes: Annotated[list[Scope], Field(min_length=1), AfterValidator(_distinct)]
    expires_in_seconds: Annotated[int, Field(ge=60, le=366 * 24 * 3600)] | None = None


class Token(Answer):
    """A program's right, without its secret."""

    id: UUID
    name: str
    scopes: list[Scope]
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None


class CreatedToken(Token):
    """A new token with its secret, which is shown this once."""

    token: str


class TokenList(Answer):
    """All tokens of the caller."""

    items: list[Token]
    next_cursor: str | None = None
