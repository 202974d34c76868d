"""How foreign programs are installed: into the user's cache, once for each version."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PYTHON_LOCK = REPOSITORY / "requirements" / "clients.txt"

INSTALL_SECONDS = 2400
"""k9s compiles for half an hour on two cores that others use too."""


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyk8s" / "clients"


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with a program in it."""

    name: str
    fingerprint: str
    """Version or content: another one is installed anew."""

    install: Callable[[Path], None]

    @property
    def folder(self) -> Path:
        stamp = hashlib.sha256(self.fingerprint.encode()).hexdigest()[:12]
        return cache() / f"{self.name}-{stamp}"

    @property
    def is_there(self) -> bool:
        return (self.folder / ".complete").exists()

    def ensure(self) -> Path:
        """Install it where it is not there yet; return the folder."""
        if not self.is_there:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self.install(self.folder)
            (self.folder / ".complete").touch()
        return self.folder


def build(*argv: str, cwd: Path, **env: str) -> None:
    """Run one step of an installation; it leaves the processors to whoever else wants them."""
    done = subprocess.run(
        ["nice", "-n", "15", *argv], cwd=cwd, env=os.environ | env,
        capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{argv} ended with {done.returncode}: {done.stderr[-4000:]}"


def content_of(path: Path) -> str:
    """Return a fingerprint of a file, or of all files of a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def locked_version(package: str) -> str:
    """Return the version of a Python client."""
    return f"\n{PYTHON_LOCK.read_text()}".partition(f"\n{package}==")[2].partition(" ")[0]


def nothing() -> Installation:
    return Installation("none", "", lambda _folder: None)


def python_packages() -> Installation:
    """All Python clients in one virtual environment."""

    def install(folder: Path) -> None:
        build(sys.executable, "-m", "venv", str(folder / "venv"), cwd=folder)
        pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--no-input"]
        build(*pip, "--require-hashes", "--requirement", str(PYTHON_LOCK), cwd=folder)

    return Installation("python", content_of(PYTHON_LOCK), install)


def _go_env() -> dict[str, str]:
    # The same flags for every program: they share what is compiled.
    flags = f"{os.environ.get('GOFLAGS', '')} -buildvcs=false -trimpath".strip()
    return {"CGO_ENABLED": "0", "GOFLAGS": flags}


def go_package(package: str, version: str) -> Installation:
    """A Go program from its module."""

    def install(folder: Path) -> None:
        build("go", "install", f"{package}@{version}", cwd=folder, GOBIN=str(folder), **_go_env())

    return Installation(package.replace("/", "-"), version, install)


def own_program(language: str) -> Installation:
    """A program whose source stands beside this file; it is built in the cache."""
    source = HERE / language

    def install(folder: Path) -> None:
        copy = Path(shutil.copytree(source, folder / "source"))
        match language:
            case "go":
                build("go", "build", "-o", str(folder / "client"), ".", cwd=copy, **_go_env())
            case "node":
                build("npm", "ci", "--no-audit", "--no-fund", cwd=copy)
            case "java":
                build("mvn", "-q", "-B", "package", cwd=copy)
            case "rust":
                build("cargo", "build", "--locked", "--jobs", "1", cwd=copy)

    return Installation(f"own-{language}", content_of(source), install)
