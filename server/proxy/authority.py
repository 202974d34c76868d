"""Certificates of the proxy's listener: an authority of our own, or what the operator gives.

kubectl sends no token over plain http, so the proxy speaks TLS from the first start. Each
kubeconfig carries the authority, so nobody has to be told to trust it.
"""

import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from server.errors import StartFailed

AUTHORITY_LIFE: Final = timedelta(days=3650)
SERVER_LIFE: Final = timedelta(days=397)
"""Browsers and Apple's systems accept no longer one."""
RENEWED_BEFORE: Final = timedelta(days=90)
BACKDATED: Final = timedelta(hours=1)
"""Clocks of clients go wrong a little."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the listener shows, and who vouches for it."""

    certificate: Path
    key: Path
    authority: str | None
    """PEM, for kubeconfigs. None: an authority that every machine knows already."""
    names: frozenset[str]
    """The host names and addresses that the certificate is for."""
    ends_at: datetime
    """When the certificate ends, as it was when the server started: another one needs a restart."""


def given(certificate: Path, key: Path, authority: Path | None) -> Identity:
    """Take what the operator gives.

    Raises:
        StartFailed: a file cannot be read, or key and certificate do not belong together.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        text = authority.read_text() if authority is not None else None
        return Identity(certificate, key, text, names_in(certificate), end_of(certificate))
    except (OSError, ssl.SSLError, ValueError) as error:
        raise StartFailed(
            f"the certificate of the proxy cannot be used: {error}",
            fix="see PYK8S_TLS_CERTIFICATE, PYK8S_TLS_KEY and PYK8S_TLS_AUTHORITY; without them "
            "the server makes a certificate of its own",
        ) from error


def own(directory: Path, names: Sequence[str], *, now: datetime) -> Identity:
    """Give a certificate for these host names and addresses, made when there is none yet.

    The authority stays, so that kubeconfigs go on working; its certificate for the listener is
    made anew when the names change or its end comes near.

    Raises:
        StartFailed: the files cannot be read or written.
    """
    paths = {name: directory / name for name in ("ca.pem", "ca.key", "server.pem", "server.key")}
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (paths["ca.pem"].exists() and paths["ca.key"].exists()):
            authority, authority_key = _make_authority(now)
            _write(paths["ca.key"], _key_pem(authority_key))
            _write(paths["ca.pem"], authority.public_bytes(serialization.Encoding.PEM))
            paths["server.pem"].unlink(missing_ok=True)
        authority = x509.load_pem_x509_certificate(paths["ca.pem"].read_bytes())
        if not _is_good(paths["server.pem"], paths["server.key"], names, now):
            loaded = serialization.load_pem_private_key(paths["ca.key"].read_bytes(), None)
            assert isinstance(loaded, ec.EllipticCurvePrivateKey)
            certificate, key = _make_server(authority, loaded, names, now)
            _write(paths["server.key"], _key_pem(key))
            _write(paths["server.pem"], certificate.public_bytes(serialization.Encoding.PEM))
    except (OSError, ValueError) as error:
        raise StartFailed(
            f"the proxy's certificates in {directory} cannot be used: {error}",
            fix=f"delete {directory} to have new ones made; kubeconfigs have to be taken anew then",
        ) from error
    shown, trusted = paths["server.pem"], paths["ca.pem"].read_text()
    return Identity(shown, paths["server.key"], trusted, frozenset(names), end_of(shown))


def names_in(certificate: Path) -> frozenset[str]:
    """Give the host names and addresses that a certificate is for.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none.
    """
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(
        [
            *names.get_values_for_type(x509.DNSName),
            *map(str, names.get_values_for_type(x509.IPAddress)),
        ]
    )


def end_of(certificate: Path) -> datetime:
    """Tell when a certificate ends.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none.
    """
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


def _is_good(certificate: Path, key: Path, names: Sequence[str], now: datetime) -> bool:
    if not (certificate.exists() and key.exists()):
        return False
    return end_of(certificate) - now > RENEWED_BEFORE and names_in(certificate) == frozenset(names)


def _make_authority(now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("PyK8s-Lab proxy authority")
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = _usage(key_cert_sign=True, crl_sign=True)
    built = _builder(now, AUTHORITY_LIFE).subject_name(name).issuer_name(name)
    built = (
        built.public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(own_id, critical=False)
    )
    return built.sign(key, hashes.SHA256()), key


def _make_server(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    now: datetime,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    built = _builder(now, SERVER_LIFE).subject_name(_named("PyK8s-Lab proxy"))
    built = (
        built.issuer_name(authority.subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general(each) for each in names]), critical=False
        )
        .add_extension(by, critical=False)
    )
    return built.sign(authority_key, hashes.SHA256()), key


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(now: datetime, life: timedelta) -> x509.CertificateBuilder:
    since = now.astimezone(UTC) - BACKDATED
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + life)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step; others cannot read it."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    new.replace(path)
