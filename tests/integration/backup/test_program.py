"""`pyk8s admin backup` and `restore` as programs, with the embedded PostgreSQL."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from server.store.embedded import EmbeddedPostgres
from tests.ports import free_port

REPOSITORY = Path(__file__).parents[3]
ACCOUNT = {"username": "ann", "password": "correct horse battery"}


def printed(verb: str) -> str:
    """Return the command for a server without containers, as docs/howto/operate.md prints it."""
    page = (REPOSITORY / "docs" / "howto" / "operate.md").read_text()
    [found] = re.findall(rf"^(pyk8s admin {verb} lab\.backup) +#", page, re.MULTILINE)
    return str(found)


class Machine:
    """A data directory, and what is run on it."""

    def __init__(self, port: int) -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="pyk8s-backup-"))
        self.url = f"http://127.0.0.1:{port}"
        self.port = port

    def run(
        self, *argv: str, cwd: Path | None = None, given: bytes = b"", umask: int = -1
    ) -> subprocess.CompletedProcess[bytes]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        own = {
            "PYTHONPATH": str(REPOSITORY),
            "PYK8S_DATA_DIR": str(self.data_dir),
            "PYK8S_DRIVER": "simulated",
            "PYK8S_PROXY_PORT": "0",
            "PYK8S_APPS_PORT": "0",
        }
        # `pyk8s` is what a shell finds beside this Python.
        own["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
        return subprocess.run(
            ["bash", "-c", argv[0]] if len(argv) == 1 else [sys.executable, *argv],
            env=kept | own,
            cwd=cwd or REPOSITORY,
            input=given,
            capture_output=True,
            timeout=110,
            check=False,
            umask=umask,
        )

    def start(self, *, umask: int = -1) -> None:
        local = str(REPOSITORY / "scripts" / "local.py")
        done = self.run(local, "start", "--port", str(self.port), umask=umask)
        assert done.returncode == 0, done.stderr

    def stop(self) -> None:
        self.run(str(REPOSITORY / "scripts" / "local.py"), "stop")

    def remove(self) -> None:
        self.stop()
        anyio.run(EmbeddedPostgres(self.data_dir).remove)
        shutil.rmtree(self.data_dir)


@pytest.fixture
def old() -> Iterator[Machine]:
    machine = Machine(free_port())
    yield machine
    machine.remove()


@pytest.fixture
def new(old: Machine) -> Iterator[Machine]:
    machine = Machine(old.port)
    yield machine
    machine.remove()


@pytest.mark.timeout(300)
def test_a_server_moves_with_two_commands(old: Machine, new: Machine, tmp_path: Path) -> None:
    file = tmp_path / "lab.backup"
    old.start()
    assert httpx.post(f"{old.url}/api/v1/auth/register", json=ACCOUNT).status_code == 201
    pyk8s = ("-m", "pyk8s", "admin")

    running = old.run(printed("backup"), cwd=tmp_path, umask=0)
    assert running.returncode == 0, running.stderr
    assert b"Backed up: 0 clusters" in running.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file], "nothing half-made is left"
    assert httpx.get(f"{old.url}/readyz").status_code == 200

    again = old.run(*pyk8s, "backup", str(file))
    assert again.returncode == 1
    assert b"is there already" in again.stderr
    refused = old.run(*pyk8s, "restore", "--replace", str(file))
    assert refused.returncode == 1
    assert b"in use by another server" in refused.stderr

    old.stop()
    piped = old.run(*pyk8s, "backup", "-")  # of a stopped server, too
    assert piped.returncode == 0, piped.stderr
    assert not anyio.run(EmbeddedPostgres(old.data_dir).is_running)

    assert new.run(*pyk8s, "restore", "-", given=piped.stdout[:-9]).returncode == 1
    file.write_bytes(piped.stdout)
    restored = new.run(printed("restore"), cwd=tmp_path)
    assert restored.returncode == 0, restored.stderr
    assert not anyio.run(EmbeddedPostgres(new.data_dir).is_running)
    new.start()
    assert httpx.post(f"{new.url}/api/v1/auth/login", json=ACCOUNT).status_code == 200


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["backup", "none/file"], "cannot be written"),
        (["backup", "file"], "key of the server cannot be read"),
        (["restore", "none"], "none cannot be read: No such file"),
        (["restore", __file__], "no backup of PyK8s Lab"),
    ],
)
def test_what_does_not_work_is_told_in_words(
    new: Machine, tmp_path: Path, argv: list[str], told: str
) -> None:
    done = new.run("-m", "pyk8s", "admin", *argv, cwd=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr.decode()
    assert b"Fix: " in done.stderr
    assert b"Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_can_read_what_a_server_keeps(old: Machine, tmp_path: Path) -> None:
    """Neither a umask of nothing nor a directory that is open to all shows a secret."""
    old.data_dir.chmod(0o777)
    old.start(umask=0)
    for name in ("secret.key", "host-id", "tls", "attempts"):
        path = old.data_dir / name
        if path.exists():
            assert path.stat().st_mode & 0o077 == 0, name
    assert (old.data_dir / "postgres").resolve().stat().st_mode & 0o077 == 0
