"""As whom the embedded PostgreSQL runs: it refuses root."""

import pwd
import subprocess
from dataclasses import dataclass
from typing import Final

from server.errors import StartFailed

SERVICE_ACCOUNT: Final = "pyk8s"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody on this machine; `switch`: we are root and become them to run PostgreSQL."""

    name: str
    uid: int
    gid: int
    switch: bool


def account(uid: int, *, switch: bool) -> Account:
    """Look somebody up.

    Raises:
        StartFailed: the id has no name, which PostgreSQL's tools need.
    """
    try:
        found = pwd.getpwuid(uid)
    except KeyError as error:
        raise StartFailed(
            f"the user id {uid} has no entry in /etc/passwd, which PostgreSQL needs",
            fix="run the server as a user that exists, or set PYK8S_DATABASE_URL",
        ) from error
    return Account(found.pw_name, found.pw_uid, found.pw_gid, switch=switch)


def service_account() -> Account:
    """Find or make the system account `pyk8s`; `nobody` on a machine that cannot make one.

    Raises:
        StartFailed: there is neither.
    """
    for name in (SERVICE_ACCOUNT, "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            if name != SERVICE_ACCOUNT or not _add_account():
                continue
            found = pwd.getpwnam(name)
        return Account(found.pw_name, found.pw_uid, found.pw_gid, switch=True)
    raise StartFailed(
        "PostgreSQL does not run as root, and this machine has no other account for it",
        fix=f"make one (`useradd --system {SERVICE_ACCOUNT}`), or run the server as a normal user",
    )


def _add_account() -> bool:
    argv = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    try:
        done = subprocess.run(
            [*argv, "--shell", "/usr/sbin/nologin", SERVICE_ACCOUNT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
