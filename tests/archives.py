"""Archives of images as `docker save` writes them, made without Docker."""

import gzip
import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import AsyncIterator, Mapping

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")


def image_archive(name: str = "docker.io/library/mine:1", *, layer_bytes: int = 20_000) -> bytes:
    """Make an image with one layer that holds one file; nothing in it can run."""
    layer = _tar({"content": os.urandom(layer_bytes)})
    config = {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    written = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(written).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    return _tar(
        {
            config_name: written,
            "layer.tar": layer,
            "manifest.json": json.dumps(manifest).encode(),
        }
    )


def archive_of(manifest: bytes) -> bytes:
    """Make an archive that has a manifest and nothing else."""
    return _tar({"manifest.json": manifest})


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def gzipped(archive: bytes) -> bytes:
    """Compress it, as `docker save IMAGE | gzip` does."""
    return gzip.compress(archive, 1)


async def pieces_of(data: bytes, size: int = 4096) -> AsyncIterator[bytes]:
    """Give bytes piece by piece."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
