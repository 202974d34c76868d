"""A cluster's own authority, with the certificates of its API server and its administrator."""

import base64
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Authority:
    """Everything as PEM."""

    certificate: bytes
    admin: bytes
    admin_key: bytes
    context: ssl.SSLContext
    """Of the API server: it believes nobody without a certificate of this authority."""

    def kubeconfig(self, url: str) -> str:
        """Write what kind writes."""
        authority, admin, key = (
            base64.b64encode(each).decode()
            for each in (self.certificate, self.admin, self.admin_key)
        )
        return (
            f"clusters: [{{name: c, cluster: {{server: '{url}',"
            f" certificate-authority-data: {authority}}}}}]\n"
            f"users: [{{name: u, user: {{client-certificate-data: {admin},"
            f" client-key-data: {key}}}}}]\n"
        )


def make_authority(folder: Path) -> Authority:
    """Make one. The folder gets what ssl reads from files only."""
    ca_key, ca = _signed("ca", None, None)
    server_key, server = _signed("server", ca, ca_key)
    admin_key, admin = _signed("admin", ca, ca_key)
    (folder / "server.pem").write_bytes(_pem(server) + _key(server_key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=_pem(ca).decode())
    context.load_cert_chain(folder / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return Authority(_pem(ca), _pem(admin), _key(admin_key), context)


def _signed(
    name: str, by: x509.Certificate | None, key: ec.EllipticCurvePrivateKey | None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    own = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.subject if by is not None else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
    )
    return own, builder.sign(key or own, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(PEM)


def _key(key: ec.EllipticCurvePrivateKey) -> bytes:
    private, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(PEM, private, plain)
