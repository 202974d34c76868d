"""Settings: everything an operator may choose, by environment variable with the prefix PYK8S_."""

import socket
from collections.abc import Set
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import (
    AwareDatetime,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from pyk8s.wire.hosts import is_loopback_host
from server.config.capacity import Capacity
from server.config.database_url import parse
from server.config.origins import read_origins
from server.errors import StartFailed, in_words

REPOSITORY = Path(__file__).resolve().parents[2]
PROXY_BESIDE = 443
APPS_BESIDE = 444
MAX_PORT = 65535


class Settings(Capacity):
    """Read once at start, then passed along as parameters."""

    model_config = SettingsConfigDict(env_prefix="PYK8S_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    published_host: str | None = Field(
        None,
        description="Address that the port is published on, when the server listens inside a "
        "container. Unset: PYK8S_HOST. It decides who may register.",
    )
    proxy_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of the Kubernetes API proxy (TLS). Unset: 443 more than PYK8S_PORT, so "
        "8443. `0`: no proxy.",
    )
    proxy_url: str | None = Field(
        None,
        description="Where people reach the proxy (https://lab.example.org:8443); kubeconfigs name "
        "it. Unset: the host under which they reach the server.",
    )
    apps_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of published apps. Unset: 444 more than PYK8S_PORT, so 8444. `0`: apps "
        "cannot be published.",
    )
    apps_url: str | None = Field(
        None,
        description="Where people reach published apps; each has a sub-domain of its host "
        "(https://apps.example.org: https://web-1a2b3c4d.apps.example.org). Unset: "
        "http://localhost with the port, which works on this machine.",
    )
    tls_certificate: Path | None = Field(
        None,
        description="Certificate of the proxy, with its chain, as PEM. Unset: the server makes an "
        "authority of its own, which kubeconfigs carry.",
    )
    tls_key: Path | None = Field(None, description="Key of that certificate, as PEM.")
    tls_authority: Path | None = Field(
        None,
        description="Who vouches for that certificate, as PEM, for kubeconfigs. Unset: an "
        "authority that every machine trusts.",
    )
    data_dir: Path = Field(
        REPOSITORY / ".pyk8s",
        description="Where attempts, keys and the embedded PostgreSQL live.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="postgresql://user:password@host/database. Unset: an embedded PostgreSQL "
        "in the data directory is started. TLS as libpq has it: "
        "`?sslmode=verify-full&sslrootcert=FILE`, with `sslcert=FILE&sslkey=FILE` for a "
        "certificate of the server's own; `sslrootcert=system` for the authorities of the machine. "
        "Without `sslmode` whoever answers is believed.",
    )
    database_pool_size: int = Field(
        10, ge=2, le=200, description="Connections of the server to PostgreSQL at most."
    )
    database_queue: int = Field(
        500,
        ge=0,
        le=100_000,
        description="How many requests may wait at once for a connection to PostgreSQL. What comes "
        "beyond gets 503 `database_busy` with `Retry-After`.",
    )
    metrics_access: Literal["open", "signed-in"] = Field(
        "open",
        description="Who may read /metrics. `signed-in`: programs with a token, and those on this "
        "machine.",
    )
    migrate: Literal["auto", "off"] = Field(
        "auto", description="Whether the server applies pending migrations when it starts."
    )
    driver: Literal["auto", "kind", "simulated"] = Field(
        "auto",
        description="What makes clusters. `auto`: kind if Docker and kind answer, else simulated.",
    )
    roles: str = Field(
        "api,provisioner,controllers",
        description="Which parts this process plays, separated by commas.",
    )
    host_name: str = Field(
        default_factory=socket.gethostname,
        description="This machine's name among the provisioner hosts; it must not change.",
    )
    log_cap_bytes: int = Field(
        16 * 1024 * 1024,
        ge=4096,
        description="How much log of one cluster is kept, in bytes. Each try to create it may use "
        "half of what is left. All creates of a user may use four times as much within an hour.",
    )
    log_retention_days: int = Field(
        30,
        ge=0,
        description="How many days the log and the evidence of a deleted cluster are kept. What "
        "happened to it is kept for ever. `0`: the log too.",
    )
    signup: Literal["auto", "open", "closed"] = Field(
        "auto",
        description="Who may register. `auto`: only the first person, who becomes the "
        "administrator. `open`: everybody who reaches the server; where that is more than this "
        "machine it also needs PYK8S_SIGNUP_PUBLIC_OK=yes. `closed`: as `auto`.",
    )
    setup_code: Literal["auto", "always"] = Field(
        "auto",
        description="Whether the first account needs the setup code that the start prints. `auto`: "
        "where others reach the server, by its address or through a reverse proxy. `always`: on "
        "a loopback address too, for a machine with several users.",
    )
    signup_public_ok: Literal["no", "yes"] = Field(
        "no",
        description="The second word that open registration needs where others reach the server "
        "(an address other than loopback, or PYK8S_ALLOWED_ORIGINS, PYK8S_SECURE_COOKIES, "
        "PYK8S_PROXY_URL or PYK8S_APPS_URL for another host): every user of a cluster may reach "
        "the root of its host.",
    )
    session_hours: float = Field(
        12, gt=0, le=24 * 30, description="How long somebody stays signed in, in hours."
    )
    allowed_origins: str = Field(
        "",
        description="Origins under which people see the server's page, by a reverse proxy, and "
        "origins of other pages that use the API; separated by commas (https://lab.example.org). A "
        "page of one may send what changes something and open WebSockets; to a page elsewhere the "
        "server speaks CORS, without cookies: it sends a token. Their hosts are answered for. The "
        "server's own origins on this machine are always allowed.",
    )
    allowed_hosts: str = Field(
        "",
        description="Further host names that the server answers for, separated by commas "
        "(lab.internal.example.org). Requests for others get 421 `host_unknown`. Always answered "
        "for: addresses, localhost, this machine's name, and the hosts of PYK8S_HOST, "
        "PYK8S_ALLOWED_ORIGINS, PYK8S_PROXY_URL and PYK8S_APPS_URL; in a container also names of "
        "one word. `*`: all, where something before the server checks them.",
    )
    security_contact: str = Field(
        "",
        description="Whom to tell of a weakness of this server, for /.well-known/security.txt: "
        "URIs that begin with mailto:, https: or tel:, separated by commas. Unset: that is 404.",
    )
    security_expires: AwareDatetime | None = Field(
        None,
        description="Until when that holds (2027-06-01T00:00:00Z); it is 404 afterwards. RFC 9116 "
        "wants less than a year.",
    )
    secure_cookies: bool = Field(
        False, description="Set to true behind TLS: cookies get Secure and the __Host- prefix."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Fernet key for what is stored encrypted. Unset: made in the data directory.",
    )
    ui_dir: Path | None = Field(
        None, description="The built page. Unset: frontend/out of the repository, if it is there."
    )
    node_image: str | None = Field(
        None,
        description="Node image for new clusters. Unset: the newest local kindest/node image, "
        "else the default of kind.",
    )
    kind_path: Path | None = Field(None, description="The kind program. Unset: found in PATH.")
    docker_url: str | None = Field(
        None,
        description="Docker's address (unix:///var/run/docker.sock). Unset: DOCKER_HOST, else "
        "Docker's usual socket.",
    )
    network_pool: str = Field(
        "10.210.0.0/16",
        description="Where the small network of each cluster is cut from. The server takes no "
        "connection from or to an address in it.",
    )
    cluster_isolation: Literal["on", "off"] = Field(
        "on",
        description="Whether the server makes firewall rules on the machine of its Docker, so that "
        "clusters reach no address of that machine, no metadata of its cloud and no other "
        "cluster. `off`: for hosts with rules of their own.",
    )
    in_container: bool = Field(
        False,
        description="Whether the server itself runs in a container of the same Docker; it then "
        "joins the networks of its clusters to reach them.",
    )
    simulated_speed: float = Field(
        1.0, gt=0, description="How many times faster than life the simulated driver plays."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="How the server writes its log. `auto`: console on a terminal."
    )
    log_file: Path | None = Field(
        None,
        description="The file that standard error is redirected to, so that the server can begin "
        "another one when it is full. `./restart.sh --local` sets it.",
    )
    log_file_bytes: int = Field(
        16 * 1024**2,
        ge=4096,
        description="Size at which that file is full. Three full ones are kept, as `.1` to `.3`.",
    )

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        read_origins(value)
        return value

    @field_validator("security_contact")
    @classmethod
    def _are_contacts(cls, value: str) -> str:
        for contact in filter(None, map(str.strip, value.split(","))):
            if not contact.startswith(("mailto:", "https:", "tel:")) or not contact.isprintable():
                raise ValueError("has to be URIs that begin with mailto:, https: or tel:")
        return value

    @model_validator(mode="after")
    def _has_contact_and_end(self) -> "Settings":
        if bool(self.security_contacts) != (self.security_expires is not None):
            raise ValueError(
                "PYK8S_SECURITY_CONTACT and PYK8S_SECURITY_EXPIRES belong together (RFC 9116)"
            )
        return self

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, value: str) -> str:
        known = {"api", "provisioner", "controllers"}
        given = {role.strip() for role in value.split(",") if role.strip()}
        if not given or given - known:
            raise ValueError(f"roles are {', '.join(sorted(known))}")
        return ",".join(sorted(given))

    @field_validator("proxy_url")
    @classmethod
    def _is_https(cls, value: str | None) -> str | None:
        if value is not None and (
            not value.startswith("https://") or urlsplit(value).hostname is None
        ):
            raise ValueError("has to begin with https://, since kubectl sends no token without TLS")
        return value.rstrip("/") if value is not None else None

    @field_validator("apps_url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError("has to be http:// or https:// with a host, and no path")
        if _is_address(parts.hostname):
            raise ValueError(
                "has to name a host: an address has no sub-domains, and each app is one"
            )
        return value.rstrip("/").lower()

    @model_validator(mode="after")
    def _has_both_of_tls(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("PYK8S_TLS_CERTIFICATE and PYK8S_TLS_KEY belong together")
        return self

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse(value.get_secret_value())
        return value

    @field_validator("network_pool")
    @classmethod
    def _is_a_network(cls, value: str) -> str:
        try:
            return str(IPv4Network(value))
        except ValueError as error:
            raise ValueError(f"has to be an IPv4 network like 10.210.0.0/16: {error}") from error

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def listens_for_proxy_on(self) -> int | None:
        """The port of the proxy, or None for no proxy."""
        if not self.plays("api"):
            return None
        if self.proxy_port is None:
            beside = self.port + PROXY_BESIDE
            return beside if beside <= MAX_PORT else self.port - PROXY_BESIDE
        return self.proxy_port or None

    @property
    def listens_for_apps_on(self) -> int | None:
        """The port of published apps, or None for no apps."""
        if not self.plays("api"):
            return None
        if self.apps_port is None:
            beside = self.port + APPS_BESIDE
            return beside if beside <= MAX_PORT else self.port - APPS_BESIDE
        return self.apps_port or None

    @property
    def apps_at(self) -> str:
        """The URL whose sub-domains are published apps."""
        return self.apps_url or f"http://localhost:{self.listens_for_apps_on}"

    def plays(self, role: str) -> bool:
        """Tell whether this process has the role."""
        return role in self.roles.split(",")

    @property
    def reached_by_others(self) -> str | None:
        """What says that other machines reach the server; None: nothing does.

        A reverse proxy on this machine reaches a loopback address for the whole internet, so the
        address alone proves nothing.
        """
        host = self.published_host or self.host
        if not is_loopback_host(host):
            variable = "PYK8S_HOST" if self.published_host is None else "PYK8S_PUBLISHED_HOST"
            return f"{variable} is {host}"
        named = {
            "PYK8S_ALLOWED_ORIGINS": self.named_origins,
            "PYK8S_PROXY_URL": [self.proxy_url or ""],
            "PYK8S_APPS_URL": [self.apps_url or ""],
        }
        for variable, urls in named.items():
            for url in filter(None, urls):
                if not is_loopback_host(urlsplit(url).hostname or url):
                    return f"{variable} names {url}"
        return "PYK8S_SECURE_COOKIES is set" if self.secure_cookies else None

    @property
    def page_host(self) -> str | None:
        """The Host by which the page's container asks; None where there is no such container."""
        return self.host_name if self.in_container else None

    @property
    def origins(self) -> Set[str]:
        """The origins whose pages may act with a cookie."""
        own = {f"http://{host}:{self.port}" for host in ("localhost", "127.0.0.1", "[::1]")}
        return own.union(self.named_origins)

    @property
    def security_contacts(self) -> tuple[str, ...]:
        """Whom to tell of a weakness."""
        return tuple(filter(None, map(str.strip, self.security_contact.split(","))))

    @property
    def named_origins(self) -> tuple[str, ...]:
        """The origins that the operator has named."""
        return read_origins(self.allowed_origins)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def load() -> Settings:
    """Read the settings from the environment.

    Raises:
        StartFailed: a variable has a value that cannot be.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"PYK8S_{'_'.join(map(str, item['loc'])).upper()}: {in_words(item)}"
            for item in error.errors()
        )
        raise StartFailed(wrong, fix="see docs/reference/configuration.md") from error
    if _is_address(settings.host) and ip_address(settings.host) in IPv4Network(
        settings.network_pool
    ):
        raise StartFailed(
            f"PYK8S_HOST={settings.host} lies in PYK8S_NETWORK_POOL={settings.network_pool}, the "
            "networks of clusters, from which the server takes no connection",
            fix="choose another PYK8S_NETWORK_POOL, which no network of this machine overlaps",
        )
    if (
        settings.signup == "open"
        and settings.signup_public_ok != "yes"
        and (reason := settings.reached_by_others) is not None
    ):
        raise StartFailed(
            f"PYK8S_SIGNUP=open, and others reach this server ({reason}): every user of a cluster "
            "may reach the root of this machine",
            fix="unset PYK8S_SIGNUP, then only the first person can register; or say "
            "PYK8S_SIGNUP_PUBLIC_OK=yes as well",
        )
    return settings
