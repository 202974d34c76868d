"""What restart.sh and its parts do and say. The way in containers is scripts/try-compose.sh."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio
import httpx
import pytest

from scripts.checkout import fingerprint
from scripts.local import proxy_address
from server.config import Settings
from server.store.embedded import EmbeddedPostgres
from tests.conftest import with_database
from tests.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash") or "/bin/bash"


def run(argv: list[str], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        env={**os.environ, **(env or {})},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def data_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pyk8s-run-"))
    yield path
    local(path, "stop")
    anyio.run(EmbeddedPostgres(path).remove)
    shutil.rmtree(path)


def local(data_dir: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run(
        [sys.executable, str(REPOSITORY / "scripts" / "local.py"), *words],
        {
            "PYK8S_DATA_DIR": str(data_dir),
            "PYK8S_DRIVER": "simulated",
            "PYK8S_PROXY_PORT": "0",
            "PYK8S_APPS_PORT": "0",
            **settings,
        },
    )


@pytest.mark.parametrize(
    ("port", "proxy_port", "address"),
    [
        (8000, None, "https://localhost:8443"),
        (65400, None, "https://localhost:64957"),
        (8000, "9000", "https://localhost:9000"),
        (8000, "0", None),
    ],
)
def test_kubectl_is_told_where_the_server_will_be(
    monkeypatch: pytest.MonkeyPatch, port: int, proxy_port: str | None, address: str | None
) -> None:
    monkeypatch.delenv("PYK8S_PROXY_URL", raising=False)
    monkeypatch.delenv("PYK8S_PROXY_PORT", raising=False)
    settings = Settings(port=port)
    if proxy_port is not None:
        monkeypatch.setenv("PYK8S_PROXY_PORT", proxy_port)
        settings = Settings(port=port, proxy_port=int(proxy_port))
    assert proxy_address(f"http://localhost:{port}") == address
    listens = settings.listens_for_proxy_on
    assert (f"https://localhost:{listens}" if listens else None) == address


def test_starts_again_and_stops(data_dir: Path) -> None:
    port = free_port()
    first = local(data_dir, "start", "--port", str(port))
    assert first.returncode == 0, first.stderr
    assert f"http://localhost:{port}" in first.stdout
    assert "  kubectl " not in first.stdout, "there is no proxy here"
    assert "SIMULATED" in first.stdout
    pid = (data_dir / "server.pid").read_text()
    assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200

    second = local(data_dir, "start", "--port", str(port))
    assert second.returncode == 0, second.stderr
    assert (data_dir / "server.pid").read_text() != pid

    assert local(data_dir, "stop").returncode == 0
    assert not anyio.run(EmbeddedPostgres(data_dir).is_running)
    assert local(data_dir, "stop").returncode == 3


def test_a_server_that_was_started_otherwise_is_left_alone(data_dir: Path) -> None:
    """The data directory is in use: in words, and the PostgreSQL of the other one goes on."""
    port, other = free_port(), free_port()
    assert local(data_dir, "start", "--port", str(port)).returncode == 0
    pid = (data_dir / "server.pid").read_text().split()[0]
    (data_dir / "server.pid").rename(data_dir / "kept")
    try:
        done = local(data_dir, "start", "--port", str(other))
        assert done.returncode == 1
        assert f"in use by another server (process {pid}, port {port})" in done.stderr
        assert "Traceback" not in done.stderr
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    finally:
        (data_dir / "kept").rename(data_dir / "server.pid")
        assert local(data_dir, "stop").returncode == 0


def test_the_start_prints_the_setup_code_while_it_is_needed(data_dir: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data_dir.chmod(0o755)
    (data_dir / "server.log").touch(0o644)
    started = local(data_dir, "start", "--port", str(port), PYK8S_SETUP_CODE="always")
    assert started.returncode == 0, started.stderr
    code = (data_dir / "setup-code").read_text().strip()
    assert f"Setup code {code} " in started.stdout
    assert code in (data_dir / "server.log").read_text()
    readable = [each.name for each in data_dir.iterdir() if each.stat().st_mode & 0o077]
    assert not {"server.log", "setup-code", "secret.key"}.intersection(readable)
    account = {"username": "ann", "password": "correct horse battery", "setup_code": code}
    assert httpx.post(f"{url}/api/v1/auth/register", json=account).status_code == 201
    again = local(data_dir, "start", "--port", str(port), PYK8S_SETUP_CODE="always")
    assert again.returncode == 0, again.stderr
    assert "Setup code" not in again.stdout


def test_a_data_directory_that_cannot_be_written_is_told_in_words(data_dir: Path) -> None:
    """A file stands where the directory should be: root may write where others may not."""
    wrong = data_dir / "file"
    wrong.write_text("")
    done = local(wrong / "data", "start", "--port", str(free_port()))
    assert done.returncode == 1
    assert str(wrong) in done.stderr
    assert "PYK8S_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named_with_its_user(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = local(data_dir, "start", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} is in use by" in done.stderr
    assert f"--port {port + 1}" in done.stderr
    if shutil.which("ss") or shutil.which("lsof"):
        assert f"(process {os.getpid()})" in done.stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"PYK8S_DRIVER": "cloud"}, "PYK8S_DRIVER"),
        ({"PYK8S_DRIVER": "cloud"}, "has to be 'auto', 'kind' or 'simulated'"),
        (
            {"PYK8S_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c"},
            "PostgreSQL on 127.0.0.1 does not answer: [Errno",
        ),
        ({"PYK8S_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c"}, "PYK8S_DATABASE_URL"),
        ({"PYK8S_DATABASE_URL": "mysql://a:b@127.0.0.1/c"}, "has to begin with postgresql://"),
    ],
)
def test_what_the_server_refuses_is_told_in_its_words(
    data_dir: Path, settings: dict[str, str], told: str
) -> None:
    done = local(data_dir, "start", "--port", str(free_port()), **settings)
    assert done.returncode == 1
    assert "the server cannot start" in done.stderr
    assert told in done.stderr
    assert "What to do" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (data_dir / "server.pid").exists()


def test_a_database_that_is_not_there_is_told(data_dir: Path, database_url: str) -> None:
    url = with_database(database_url, "nobody_made_it")
    done = local(data_dir, "start", "--port", str(free_port()), PYK8S_DATABASE_URL=url)
    assert done.returncode == 1
    assert 'refuses the server: database "nobody_made_it" does not exist' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1"])
def test_a_port_that_cannot_be_is_told(data_dir: Path, port: str) -> None:
    done = local(data_dir, "start", PYK8S_PORT=port)
    assert done.returncode == 1
    assert f"a port is a number from 1 to 65535, not '{port}'" in done.stderr
    again = run([BASH, str(REPOSITORY / "restart.sh"), "--port", port])
    assert again.returncode == 1
    assert f"--port takes a number from 1 to 65535, not '{port}'" in again.stderr


def test_a_process_id_of_something_else_is_not_taken_for_the_server(data_dir: Path) -> None:
    (data_dir / "server.pid").write_text(f"{os.getpid()} 8000\n")
    assert local(data_dir, "status").returncode == 3
    assert local(data_dir, "stop").returncode == 3  # and this test still runs


def docker_says(tmp_path: Path, script: str | None) -> str:
    """Ask common.sh for its opinion of a Docker that behaves like the script."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "id", "tail", "cut", "grep", "sh", "mkdir"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    if script is not None:
        (programs / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "docker").chmod(0o755)
    words = (
        f'. "{REPOSITORY}/scripts/common.sh"; compose_answers && echo ok; echo "$docker_problem"'
    )
    return run([BASH, "-c", words], {"PATH": str(programs)}).stdout


def test_no_docker_is_said(tmp_path: Path) -> None:
    assert "there is no Docker on this machine" in docker_says(tmp_path, None)


def test_no_permission_for_docker_is_said(tmp_path: Path) -> None:
    script = 'echo "permission denied while trying to connect to the Docker daemon" >&2; exit 1'
    assert "may not use it" in docker_says(tmp_path, script)


def test_a_docker_that_does_not_run_is_said(tmp_path: Path) -> None:
    script = 'echo "Cannot connect to the Docker daemon. Is it running?" >&2; exit 1'
    assert "Docker does not answer: Cannot connect" in docker_says(tmp_path, script)


def test_a_docker_without_compose_is_said(tmp_path: Path) -> None:
    script = "case $1 in version) echo 29.0;; *) exit 1;; esac"
    assert "no Compose 2" in docker_says(tmp_path, script)


@pytest.mark.parametrize("script", ["restart.sh", "clean-restart.sh", "test.sh"])
def test_scripts_explain_themselves(script: str) -> None:
    path = str(REPOSITORY / script)
    told = run([path, "--help"])
    assert told.returncode == 0
    assert told.stdout.startswith(f"Usage: ./{script}")
    wrong = run([path, "--no-such-option"])
    assert wrong.returncode == 2
    assert "unknown argument --no-such-option" in wrong.stderr


def test_clean_restart_deletes_nothing_unasked() -> None:
    done = run([str(REPOSITORY / "clean-restart.sh")])
    assert done.returncode == 1
    assert "This deletes, for ever:" in done.stderr
    assert "--yes" in done.stderr


def test_a_fingerprint_tells_a_change() -> None:
    before = fingerprint(["scripts"], page=False)
    assert before == fingerprint(["scripts"], page=False)
    assert before != fingerprint(["scripts", "README.md"], page=False)
