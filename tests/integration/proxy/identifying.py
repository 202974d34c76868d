"""A scripted API server that tells who comes: it asks for certificates, and signs them."""

import asyncio
import base64
import json
import ssl
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server.drivers.kube_signing import sign_with
from server.proxy import authority
from server.proxy.authority import Identity
from tests.integration.proxy.conftest import ScriptedApi, json_answer

REQUESTS = b"/apis/certificates.k8s.io/v1/certificatesigningrequests"
PROXY = "pyk8s:proxy"
"""The one identity that the proxy is given; its administrator's too."""


@dataclass
class IdentifyingApi(ScriptedApi):
    """Notes the subject of each request's certificate in `peers`, and its body in `bodies`."""

    folder: Path = Path()
    peers: list[dict[str, list[str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    signed: int = 0
    signs: bool = True
    swaps_keys: bool = False
    """Whether it signs another key than it was asked to."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Of service accounts, by the path at which they are asked for."""
    _requests: dict[bytes, dict[str, Any]] = field(default_factory=dict)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        method, target = self.heads[-1].split(b" ")[:2]
        if not target.startswith(REQUESTS):
            self.peers.append(_subject(writer.get_extra_info("peercert") or {}))
            if target.endswith((b"reviews", b"/token")):
                length = int(dict(self.headers()).get(b"content-length", 0))
                self.bodies.append(await reader.readexactly(length))
            if target.endswith(b"/token"):
                token = self.tokens.get(target.decode())
                missing = {"kind": "Status", "message": 'serviceaccounts "x" not found'}
                given = {"kind": "TokenRequest", "status": {"token": token}}
                writer.write(json_answer(given, 201) if token else json_answer(missing, 404))
                await writer.drain()
                return False
            return await super()._answer(reader, writer)
        length = int(dict(self.headers()).get(b"content-length", 0))
        body = await reader.readexactly(length)
        self.heads.pop()  # of the server's own questions nobody wants to know
        status, said = 200, {}
        if not self.signs:
            status = 500
        elif method == b"POST":
            status, said = 201, json.loads(body)
            self._requests[said["metadata"]["name"].encode()] = said
        elif method == b"PUT":
            said = self._requests[target.split(b"/")[-2]]
            request = base64.b64decode(said["spec"]["request"])
            said["status"] = {"certificate": base64.b64encode(self._sign(request)).decode()}
        elif method == b"GET":
            said = self._requests[target.rpartition(b"/")[2]]
        writer.write(json_answer(said, status))
        await writer.drain()
        return False

    def _sign(self, request: bytes) -> bytes:
        self.signed += 1
        asked = x509.load_pem_x509_csr(request)
        issuer = x509.load_pem_x509_certificate((self.folder / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(asked.subject)
            .issuer_name(issuer.subject)
            .public_key(issuer.public_key() if self.swaps_keys else asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .sign(key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def make(folder: Path) -> tuple[IdentifyingApi, ssl.SSLContext]:
    """Make one, and what it serves TLS with."""
    shown = authority.own(folder, ["127.0.0.1"], now=datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=shown.authority)
    context.load_cert_chain(shown.certificate, shown.key)
    context.verify_mode = ssl.CERT_OPTIONAL
    return IdentifyingApi(_client(shown, folder), folder=folder), context


def _client(shown: Identity, folder: Path) -> Identity:
    """Give what lets the proxy in, instead of what the API server shows."""
    ca, key = ((folder / name).read_bytes() for name in ("ca.pem", "ca.key"))
    certificate, _, private = sign_with(ca, key, user=PROXY).partition(
        b"-----END CERTIFICATE-----\n"
    )
    files = folder / "client.pem", folder / "client.key"
    files[0].write_bytes(certificate + b"-----END CERTIFICATE-----\n")
    files[1].write_bytes(private)
    return replace(shown, certificate=files[0], key=files[1])


def _subject(certificate: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in certificate.get("subject", ()):
        for name, value in each:
            found.setdefault(name, []).append(value)
    return found
