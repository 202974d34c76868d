"""A registry with one image that it has made up, in place of a cache. Runs inside a container."""

import gzip
import hashlib
import io
import json
import platform
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")
REPOSITORY = "/v2/library/served"


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def image() -> tuple[bytes, dict[str, bytes]]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("content")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    layer = gzip.compress(out.getvalue())
    config = json.dumps(
        {
            "architecture": ARCHITECTURE,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha(out.getvalue())]},
        }
    ).encode()
    described = [
        {"mediaType": kind, "size": len(data), "digest": sha(data)}
        for kind, data in (
            ("application/vnd.docker.container.image.v1+json", config),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", layer),
        )
    ]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
    ).encode()
    return manifest, {sha(config): config, sha(layer): layer}


class Registry(BaseHTTPRequestHandler):
    manifest, blobs = image()

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].rpartition("/")[2]
        if self.path.startswith(f"{REPOSITORY}/manifests/") and name in {"1", sha(self.manifest)}:
            self._answer(200, self.manifest, MANIFEST)
        elif self.path.startswith(f"{REPOSITORY}/blobs/") and name in self.blobs:
            self._answer(200, self.blobs[name], "application/octet-stream")
        else:
            self._answer(200 if self.path == "/v2/" else 404, b"{}", "application/json")

    do_HEAD = do_GET  # noqa: N815 - the name is that of http.server

    def _answer(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", sha(data))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 5000), Registry).serve_forever()
