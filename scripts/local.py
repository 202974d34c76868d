"""The server on this machine without containers: start, stop, follow. Used by restart.sh."""

import argparse
import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

PROXY_BESIDE = 443
MAX_PORT = 65535
REPOSITORY = Path(__file__).resolve().parent.parent
MAX_PORT = 65535
READY_SECONDS = 90.0
SETTLED_SECONDS = 8.0
STOP_SECONDS = 20.0


class Failed(Exception):
    """It did not work: why, and the way out."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.fix = fix


def data_dir() -> Path:
    """Give the data directory as the server will find it."""
    return Path(os.environ.get("PYK8S_DATA_DIR") or REPOSITORY / ".pyk8s").expanduser().absolute()


def pid_file() -> Path:
    """Where the process id of the running server is kept."""
    return data_dir() / "server.pid"


def log_path() -> Path:
    """Where the server's log goes."""
    return data_dir() / "server.log"


def running() -> int | None:
    """Give the process id of our server, if it lives and is ours."""
    try:
        pid = int(pid_file().read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    told = subprocess.run(
        ["ps", "-p", str(pid), "-o", "stat=,command="], capture_output=True, text=True, check=False
    ).stdout.strip()
    return pid if "-m server" in told and not told.startswith("Z") else None


def stop() -> bool:
    """Stop the server and its PostgreSQL; tell whether there was one."""
    pid = running()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        if not _ended(STOP_SECONDS):
            os.kill(pid, signal.SIGKILL)
            if not _ended(5):
                raise Failed(f"the server (process {pid}) does not end", f"kill -9 {pid}")
    pid_file().unlink(missing_ok=True)
    if (data_dir() / "postgres").exists():
        # The server stops it; a server that was killed could not.
        done = subprocess.run(
            [sys.executable, "-m", "server.store.embedded", "stop", str(data_dir())],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            told, _, fix = done.stderr.strip().rpartition("\n")
            raise Failed(told or "the embedded PostgreSQL does not stop", fix.strip()[-500:])
    return pid is not None


def _ended(seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while running() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _open_log() -> BinaryIO:
    """Open the log for nobody else to read: a start prints the setup code into it."""
    descriptor = os.open(log_path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)  # one that is there already
    return os.fdopen(descriptor, "ab")


def start(host: str, port: int) -> None:
    """Start the server in a session of its own and wait until it can work."""
    if not _listens_already(port):
        _expect_free(host, port)  # before the running one is stopped for nothing
    stop()
    _expect_free(host, port)
    data_dir().mkdir(parents=True, exist_ok=True, mode=0o700)
    with _open_log() as log:
        begin = log.tell()
        server = subprocess.Popen(
            [sys.executable, "-m", "server"],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={
                **os.environ,
                "PYK8S_HOST": host,
                "PYK8S_PORT": str(port),
                "PYK8S_LOG_FILE": str(log_path()),
            },
        )
    pid_file().write_text(f"{server.pid} {port}\n")
    url = f"http://{_reachable(host)}:{port}"
    driver = _wait_ready(url, server, begin)
    _tell(url, driver, setup_code(url))


def _port(given: str) -> int:
    if given.isdecimal() and 1 <= int(given) <= MAX_PORT:
        return int(given)
    raise Failed(
        f"a port is a number from 1 to {MAX_PORT}, not '{given}'",
        "./restart.sh --local --port 8080; without --port it is PYK8S_PORT that counts",
    )


def _listens_already(port: int) -> bool:
    """Tell whether it is our own server that has the port."""
    return running() is not None and pid_file().read_text().split()[1:] == [str(port)]


def _expect_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Failed(
                    f"port {port} is in use{listener_on(port)}",
                    f"end that program, or take another port: ./restart.sh --local --port "
                    f"{port + 1}",
                ) from error
            raise Failed(
                f"the server cannot listen on {host}:{port}: {error.strerror}",
                "choose another address (PYK8S_HOST) or port (--port N)",
            ) from error


def listener_on(port: int) -> str:
    """Name the process that listens on a port, as far as this machine lets us know."""
    for argv in (
        ["ss", "-Hltnp", f"sport = :{port}"],
        ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"],
    ):
        if shutil.which(argv[0]) is None:
            continue
        told = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        if found := re.search(r'\(\("([^"]+)",pid=(\d+)', told):
            return f" by {found[1]} (process {found[2]})"
        if found := re.search(r"^p(\d+)\nc(.+)$", told, re.MULTILINE):
            return f" by {found[2]} (process {found[1]})"
    return " by another program"


def _reachable(host: str) -> str:
    if host in {"0.0.0.0", "127.0.0.1", "::", "::1"}:  # noqa: S104 - compared, not listened on
        return "localhost" if ":" not in host else "[::1]"
    return f"[{host}]" if ":" in host else host


def _wait_ready(url: str, server: subprocess.Popen[bytes], begin: int) -> str:
    """Wait for /readyz; give the driver's name."""
    deadline = time.monotonic() + READY_SECONDS
    unready_since: float | None = None
    failing: list[dict[str, str]] = []
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pid_file().unlink(missing_ok=True)
            raise _why_it_ended(begin)
        status, health = readiness(url)
        if status == HTTPStatus.OK:
            return str(health.get("driver", "unknown"))
        failing = [check for check in health.get("checks", []) if not check.get("ok")]
        names = {check.get("name") for check in failing}
        if names - {"postgresql", "provisioner"}:
            unready_since = unready_since or time.monotonic()
            if time.monotonic() - unready_since > SETTLED_SECONDS:
                break
        else:
            unready_since = None
        time.sleep(0.1)
    told = "; ".join(f"{check.get('name')}: {check.get('detail')}" for check in failing)
    fix = "; ".join(str(check["fix"]) for check in failing if check.get("fix"))
    raise Failed(
        f"the server runs, but cannot work: {told or 'it does not answer on ' + url}",
        fix or f"its log is {log_path()}; ./restart.sh --stop stops it",
    )


def readiness(url: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Ask /readyz; status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"{url}/readyz?verbose", timeout=5) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.load(error)
        except ValueError:
            return error.code, {}
    except (OSError, ValueError):
        return 0, {}


def _why_it_ended(begin: int) -> Failed:
    """Take the server's own last words, or else the end of its log."""
    if log_path().stat().st_size < begin:
        begin = 0  # the server has begun another file
    with log_path().open("rb") as log:
        log.seek(begin)
        told = log.read().decode(errors="replace").strip()
    words = re.search(
        r"^The server cannot start: (.*?)(?:\n\s+What to do: (.*?))?\Z", told, re.M | re.S
    )
    if words is not None:
        return Failed(f"the server cannot start: {words[1]}", words[2] or f"see {log_path()}")
    lines = "\n".join(f"    {line}" for line in told.splitlines()[-15:])
    return Failed(f"the server ended; its last words:\n{lines}", f"all of it: {log_path()}")


def proxy_address(url: str) -> str | None:
    """Say where kubectl goes: as server/config chooses it when nobody does. None: nowhere."""
    port = int(url.rpartition(":")[2])
    beside = port + PROXY_BESIDE if port + PROXY_BESIDE <= MAX_PORT else port - PROXY_BESIDE
    chosen = os.environ.get("PYK8S_PROXY_PORT") or str(beside)
    if chosen == "0":
        return None
    return os.environ.get("PYK8S_PROXY_URL") or f"https://localhost:{chosen}"


def setup_code(url: str) -> str | None:
    """Give the code that the first account needs; None where it needs none or is made already."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/server", timeout=5) as answer:  # noqa: S310
            if not json.load(answer).get("setup_code_required"):
                return None
        return (data_dir() / "setup-code").read_text().strip()
    except (OSError, ValueError):
        return None


def _tell(url: str, driver: str, code: str | None) -> None:
    proxy = proxy_address(url)
    page = (REPOSITORY / "frontend" / "out" / "index.html").exists()
    lines = [
        "",
        "PyK8s Lab runs on this machine, without containers of its own.",
        f"  Page       {url}" if page else f"  Page       not built; the API is {url}",
        f"  API        {url}/docs",
        *([f"  kubectl    {proxy}"] if proxy else []),
        f"  Clusters   {describe(driver)}",
        *([f"  Setup code {code}   (the first account needs it)"] if code else []),
        f"  Log        {log_path()}   (./restart.sh --logs)",
        f'  Commands   export PATH="{Path(sys.executable).parent}:$PATH"; pyk8s create demo',
        "  Stop       ./restart.sh --stop",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def describe(driver: str) -> str:
    """Say what a driver's clusters are worth."""
    if driver == "simulated":
        return "SIMULATED: no Docker with kind here, so nothing can run in them"
    return f"real ones, by {driver}"


def main() -> int:
    """Read the command line; give the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/local.py", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("start")
    starting.add_argument("--host", default=os.environ.get("PYK8S_HOST") or "127.0.0.1")
    starting.add_argument("--port", default=os.environ.get("PYK8S_PORT") or "8000")
    verbs.add_parser("stop")
    verbs.add_parser("status")
    port = verbs.add_parser("listener")
    port.add_argument("port", type=int)
    arguments = parser.parse_args()
    try:
        if arguments.verb == "start":
            start(arguments.host, _port(arguments.port))
        elif arguments.verb == "stop":
            return 0 if stop() else 3
        elif arguments.verb == "status":
            return 0 if running() is not None else 3
        else:
            sys.stdout.write(listener_on(arguments.port) + "\n")
    except Failed as error:
        sys.stderr.write(f"\nThat did not work: {error}\n  What to do: {error.fix}\n")
        return 1
    except OSError as error:
        sys.stderr.write(
            f"\nThat did not work: {error.filename or data_dir()}: {error.strerror or error}\n"
            "  What to do: see whether that disk is full or read-only; PYK8S_DATA_DIR chooses "
            "another data directory\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
