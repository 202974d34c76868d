"""Which server, and as whom: argument over environment over file.

The file remembers one login per server, and a token is only ever given to the
server that issued it: `--url` of another one never carries it there.
"""

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from pyk8s.client.errors import ConfigProblem
from pyk8s.wire.hosts import is_loopback_host

DEFAULT_URL = "http://localhost:8000"
URL_VARIABLE = "PYK8S_URL"
TOKEN_VARIABLE = "PYK8S_TOKEN"  # noqa: S105 - the name of a variable, not a secret
HTTP_VARIABLE = "PYK8S_ALLOW_HTTP"
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Login:
    """A token for one server, and whose it is. `token_id` lets `logout` revoke it."""

    username: str
    token: str = field(repr=False)
    token_id: str


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says. `current` is the server that was used last to sign in."""

    current: str | None = None
    logins: Mapping[str, Login] = field(default_factory=dict)

    def with_login(self, url: str, login: Login) -> "Config":
        """Remember `login` for the server at `url`, and make that server the current one."""
        return Config(current=url, logins={**self.logins, url: login})

    def without_login(self, url: str) -> "Config":
        """Forget the login for the server at `url`; which server is current stays."""
        return replace(self, logins={k: v for k, v in self.logins.items() if k != url})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server and the token for it, if any."""

    url: str
    token: str | None = field(repr=False)
    allows_http: bool = False
    """Whether secrets may go to another machine without TLS."""

    def __post_init__(self) -> None:
        """Refuse a token that everybody on the way could read."""
        if self.token is not None:
            self.require_private()

    def require_private(self) -> None:
        """Raise unless a secret may be sent to the server.

        Raises:
            ConfigProblem: it is another machine, reached by http, and nobody has allowed that.
        """
        parts = urlsplit(self.url)
        if parts.scheme == "https" or self.allows_http or is_loopback_host(parts.hostname or ""):
            return
        raise ConfigProblem(
            f"{self.url} has no TLS: everybody on the way could read the password or token.",
            fix=f"Use https://{parts.netloc}. If the network is yours alone: {HTTP_VARIABLE}=yes.",
        )


def normal_url(text: str) -> str:
    """Write a server's address in one way: with a scheme, without a slash at the end.

    Without a scheme it is https, and http on this machine.

    Raises:
        ConfigProblem: it is not an http or https address.
    """
    candidate = text.strip()
    try:
        if "://" not in candidate:
            host = urlsplit(f"//{candidate}").hostname or ""
            candidate = f"{'http' if is_loopback_host(host) else 'https'}://{candidate}"
        parts = urlsplit(candidate)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise ConfigProblem(
            f"{text!r} is not the address of a server.",
            fix=f"Give one like {DEFAULT_URL}.",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def config_path() -> Path:
    """Where the file is on this machine: $XDG_CONFIG_HOME/pyk8s/config.toml, or its like."""
    import platformdirs

    return platformdirs.user_config_path("pyk8s") / "config.toml"


def load(path: Path) -> Config:
    """Read the file. A file that does not exist is an empty one.

    Raises:
        ConfigProblem: the file cannot be read or understood.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return Config(
            current=document.get("current"),
            logins={url: Login(**entry) for url, entry in document.get("servers", {}).items()},
        )
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise ConfigProblem(
            f"The configuration {path} cannot be used: {error}",
            fix="Mend it, or delete it and run: pyk8s login",
        ) from error


def save(path: Path, config: Config) -> None:
    """Write the file in one step, readable by its owner only.

    Raises:
        ConfigProblem: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_toml(config))
        Path(temporary).chmod(PRIVATE)
        Path(temporary).replace(path)
    except OSError as error:
        raise ConfigProblem(
            f"The login cannot be kept in {path}: {error.strerror}.",
            fix=f"Make the folder writable, or keep the token in {TOKEN_VARIABLE}.",
        ) from error


def resolve(
    url: str | None, token: str | None, *, environ: Mapping[str, str], config: Config
) -> Endpoint:
    """Choose the server and the token: argument over environment over file over default.

    Raises:
        ConfigProblem: the address is not one, or has no TLS and is another machine's.
    """
    chosen = normal_url(url or environ.get(URL_VARIABLE) or config.current or DEFAULT_URL)
    known = config.logins.get(chosen)
    return Endpoint(
        chosen,
        token or environ.get(TOKEN_VARIABLE) or (known.token if known else None),
        allows_http=environ.get(HTTP_VARIABLE, "").lower() == "yes",
    )


def _toml(config: Config) -> str:
    # A JSON string without escaped non-ASCII is a TOML basic string.
    def quoted(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    lines = ["# Written by pyk8s. The tokens are secrets: pyk8s logout revokes them."]
    if config.current:
        lines.append(f"current = {quoted(config.current)}")
    for url, login in sorted(config.logins.items()):
        lines += [
            "",
            f"[servers.{quoted(url)}]",
            f"username = {quoted(login.username)}",
            f"token = {quoted(login.token)}",
            f"token_id = {quoted(login.token_id)}",
        ]
    return "\n".join(lines) + "\n"
