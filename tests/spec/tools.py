"""Foreign programs that read our descriptions: where they are, or why they are not."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
OPENAPI: Final = REPOSITORY / "frontend" / "openapi.json"
ASYNCAPI: Final = REPOSITORY / "docs" / "reference" / "asyncapi.json"
PYTHON_TOOLS: Final = REPOSITORY / ".pyk8s" / "spec" / "bin"
SECONDS: Final = 300
QUIET: Final = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def node_tool(name: str) -> Path:
    """Return a program of tests/spec/package-lock.json, or skip the test."""
    path = HERE / "node_modules" / ".bin" / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: run npm ci --ignore-scripts in tests/spec")
    return path


def python_tool(name: str) -> Path:
    """Return a program of requirements/spec.txt, or skip the test."""
    path = PYTHON_TOOLS / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: ./test.sh installs requirements/spec.txt")
    return path


def machine_tool(name: str) -> Path:
    """Return a program of this machine, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"this machine has no {name}")
    return Path(path)


def run(*command: object, cwd: Path = HERE, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **QUIET, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
