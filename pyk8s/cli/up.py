"""up: a server on this machine, in the foreground."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Annotated

import typer

from pyk8s.cli import exits
from pyk8s.cli.command import command
from pyk8s.cli.session import Session

DEFAULT_PORT = 8000
LOOPBACK = "127.0.0.1"
START_SECONDS = 90.0
POLL_SECONDS = 0.1
PROBE_SECONDS = 2.0


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @command(app, "up")
    def _(
        session: Session,
        port: Annotated[
            int, typer.Option(envvar="PYK8S_PORT", min=1, max=65535, help="Where it listens.")
        ] = DEFAULT_PORT,
        driver: Annotated[
            str | None, typer.Option(help="auto, kind or simulated.", envvar="PYK8S_DRIVER")
        ] = None,
    ) -> None:
        """Run a server on this machine until Ctrl-C."""
        if importlib.util.find_spec("server") is None:
            session.err.print("Error: the server is not installed, only the command line is.")
            session.err.print('Fix: pip install "pyk8s-lab[server,local]"')
            raise typer.Exit(exits.OTHER)
        host = _reachable(os.environ.get("PYK8S_HOST", ""))
        if _is_taken(host, port):
            session.err.print(f"Error: something listens at {host} port {port} already.")
            session.err.print(f"Fix: stop it, or take another: pyk8s up --port {port + 1}")
            raise typer.Exit(exits.OTHER)
        environment = {**os.environ, "PYK8S_PORT": str(port)}
        if driver:
            environment["PYK8S_DRIVER"] = driver
        with _child(environment) as child:
            address = f"http://{_bracketed(host)}:{port}"
            if _wait_until_ready(address, child):
                session.say(f"PyK8s-Lab is up: http://localhost:{port}", style="bold")
                given = " --setup-code CODE" if _needs_code(address) else ""
                other = "" if port == DEFAULT_PORT else f"--url http://localhost:{port} "
                session.say(f"  pyk8s {other}register{given}")
                session.say(f"  pyk8s {other}create demo")
            elif child.poll() is None:
                session.err.print(
                    f"The server is not ready after {START_SECONDS:g} s; it goes on trying. "
                    f"Why: curl 'http://localhost:{port}/readyz?verbose'"
                )
            code = child.wait()
        raise typer.Exit(code if code >= 0 else 128 - code)


@contextlib.contextmanager
def _child(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server; signals for us are for it, and it never outlives us."""
    # A group of its own: else Ctrl-C would reach it twice, from the terminal and from us.
    child = subprocess.Popen(
        [sys.executable, "-m", "server"], env=environment, start_new_session=True
    )

    def forward(number: int, _: object) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def _reachable(host: str) -> str:
    try:
        return LOOPBACK if ip_address(host).is_unspecified else host
    except ValueError:
        return host or LOOPBACK


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_taken(host: str, port: int) -> bool:
    # Else the other one's "ready" would be taken for that of the server that could not start.
    try:
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def _needs_code(url: str) -> bool:
    """Return whether the first account needs the setup code, which the log above shows."""
    import httpx

    with contextlib.suppress(httpx.HTTPError, ValueError):
        answer = httpx.get(f"{url}/api/v1/server", timeout=PROBE_SECONDS, trust_env=False)
        return bool(answer.json().get("setup_code_required"))
    return False


def _wait_until_ready(url: str, child: subprocess.Popen[bytes]) -> bool:
    import httpx

    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(base_url=url, timeout=PROBE_SECONDS, trust_env=False) as client:
        while time.monotonic() < deadline and child.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/readyz").is_success:
                    return child.poll() is None
            time.sleep(POLL_SECONDS)
    return False
