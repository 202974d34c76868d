"""Clients that generators make of openapi.json compile, lose nothing and work with a server."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from server.api.routes import ENDPOINTS
from tests.archives import image_archive
from tests.integration.everything import World, settings, world
from tests.spec.tools import HERE, OPENAPI, machine_tool, node_tool, python_tool, run

__all__ = ["settings", "world"]

pytestmark = pytest.mark.timeout(600)
UNKNOWN_BODIES = {"application/x-tar", "application/gzip", "application/x-gzip"}
"""Types of an archive that openapi-python-client does not know beside the one that it does."""


def arguments(world: World) -> tuple[str, str, str]:
    return world.ann.base_url, world.ann.token, world.path["id_or_name"]


async def test_openapi_python_client(world: World, tmp_path: Path) -> None:
    tool = python_tool("openapi-python-client")
    config = tmp_path / "config.yaml"
    config.write_text("post_hooks: []\n")
    package = tmp_path / "lab_client"
    made = await asyncio.to_thread(
        run,
        *(tool, "generate", "--path", OPENAPI, "--output-path", package, "--meta", "none"),
        *("--config", config),
    )
    assert made.returncode == 0, made.stderr
    told = made.stdout + made.stderr
    assert told.count("WARNING parsing") == len(UNKNOWN_BODIES), told
    assert {each for each in UNKNOWN_BODIES if f"Unsupported content type {each}" in told} == (
        UNKNOWN_BODIES
    )
    operations = {path.stem for path in package.glob("api/*/*.py")} - {"__init__"}
    assert operations == {endpoint.name for endpoint in ENDPOINTS}
    archive = tmp_path / "images.tar"
    archive.write_bytes(image_archive())
    used = await asyncio.to_thread(
        run,
        *(tool.with_name("python"), HERE / "python_client.py", *arguments(world), archive),
        PYTHONPATH=str(tmp_path),
    )
    assert used.returncode == 0, used.stderr
    assert int(used.stdout.split()[0]) > 150


async def test_openapi_typescript(world: World, tmp_path: Path) -> None:
    generator, compiler = node_tool("openapi-typescript"), node_tool("tsc")
    for name in ("client.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    for command in ((generator, OPENAPI, "-o", "schema.d.ts"), (compiler, "--project", ".")):
        ended = await asyncio.to_thread(run, *command, cwd=tmp_path)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    used = await asyncio.to_thread(
        run, machine_tool("node"), "client.js", *arguments(world), cwd=tmp_path
    )
    assert used.returncode == 0, used.stderr
    told: dict[str, Any] = json.loads(used.stdout)
    assert told["seqs"] == [1, 2, 3]
    assert told["first"].startswith("retry: ")
    assert "demo" in told["names"]
    assert told["memory"] > 0
    assert told["text"].startswith("apiVersion: v1")


@pytest.mark.long
async def test_oapi_codegen(world: World, tmp_path: Path) -> None:
    """Generate, compile and use a client in Go. Needs the module proxy the first time."""
    go = machine_tool("go")
    module = tmp_path / "go"
    shutil.copytree(HERE / "go", module)
    fetched = await asyncio.to_thread(run, go, "mod", "download", cwd=module)
    if fetched.returncode != 0:
        pytest.skip(f"the modules cannot be had: {fetched.stderr.strip().splitlines()[-1]}")
    (module / "lab").mkdir()
    made = await asyncio.to_thread(
        run,
        *(go, "tool", "oapi-codegen", "-generate", "types,client", "-package", "lab"),
        *("-o", "lab/client.go", OPENAPI),
        cwd=module,
    )
    assert made.returncode == 0, made.stderr
    used = await asyncio.to_thread(run, go, "run", ".", *arguments(world), cwd=module)
    assert used.returncode == 0, used.stderr
    told: dict[str, Any] = json.loads(used.stdout)
    assert told["seqs"] == [1, 2, 3]
    assert "demo" in told["names"]
    assert told["memory"] > 0
