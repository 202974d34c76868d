"""Put a cluster into a kubeconfig and take it out again, touching nothing else.

The file is locked as kubectl and kind lock it (`config.lock` beside it),
changed where the entries stand, checked, and replaced in one step.
"""

import base64
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyk8s.client import kubeconfig_text
from pyk8s.client.errors import KubeconfigProblem
from pyk8s.client.kubeconfig_text import Entries
from pyk8s.wire.access import CreatedCredential, Endpoint, context_name

PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
OTHERS = 0o077
SAFE_KEYS = {
    "clusters": frozenset({"server", "certificate-authority-data", "tls-server-name"}),
    "contexts": frozenset({"cluster", "user", "namespace"}),
    "users": frozenset(
        {"client-certificate-data", "client-key-data", "token", "username", "password"}
    ),
}
EXEC_VERSION = "client.authentication.k8s.io/v1"
LOCK_SECONDS = 10.0
LOCK_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Merged:
    """Where a cluster was put, under which context, and whether others may read the file."""

    path: Path
    context: str
    is_exposed: bool


def candidates(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Give the files that kubectl would use: those of $KUBECONFIG, or ~/.kube/config."""
    named = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [home / ".kube" / "config"]


def target(paths: list[Path]) -> Path:
    """Choose the first file that can be written, or made.

    Raises:
        KubeconfigProblem: none can.
    """
    for path in paths:
        if path.exists():
            if path.is_file() and os.access(path, os.W_OK) and os.access(_folder(path), os.W_OK):
                return path
        elif os.access(_nearest_folder(path), os.W_OK):
            return path
    raise KubeconfigProblem(
        f"No kubeconfig can be written: {', '.join(map(str, paths))}.",
        fix="Set KUBECONFIG to a file of yours, or print it: pyk8s kubeconfig get NAME > FILE",
    )


def merge(path: Path, entries: Entries, *, switch: bool = False) -> Merged:
    """Put the entries into the file; the current context stays unless `switch`.

    Raises:
        KubeconfigProblem: the file cannot be read, locked or written; it is as before.
    """
    _rewrite(path, lambda text: kubeconfig_text.put(text, entries, switch=switch))
    is_exposed = bool(path.stat().st_mode & OTHERS)
    return Merged(path=path, context=entries.context, is_exposed=is_exposed)


def remove(path: Path, context: str, *, cluster_id: str | None = None) -> bool:
    """Take the three entries called `context` out; tell whether there was one.

    With `cluster_id`, only if `merge` put them there for that cluster.

    Raises:
        KubeconfigProblem: the file cannot be read, locked or written; it is as before.
    """

    def change(text: str) -> str:
        if cluster_id is not None and kubeconfig_text.cluster_id(text, context) != cluster_id:
            return text
        return kubeconfig_text.take(text, context)

    # Most files do not mention it: do not lock or parse those.
    try:
        mentions = context.encode() in path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(path, error) from error
    return mentions and _rewrite(path, change)


def contexts_of(path: Path, cluster: str) -> list[str]:
    """Name the contexts of a file that are ways into a cluster of this name.

    Raises:
        KubeconfigProblem: the file cannot be read.
    """
    context = context_name(cluster)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unusable(path, error) from error
    if context.encode() not in text:  # most files do not mention it: do not parse those
        return []
    try:
        found = kubeconfig_text.read(text.decode())
    except UnicodeDecodeError as error:
        raise _unusable(path, error) from error
    names = [str(each.get("name")) for each in found.get("contexts") or []]
    return [name for name in names if name == context or name.startswith(f"{context}.")]


def _rewrite(path: Path, change: Callable[[str], str]) -> bool:
    file = path.resolve()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        with _locked(file):
            before = file.read_bytes().decode() if file.exists() else ""
            after = change(before)
            if after == before:
                return False
            mode = file.stat().st_mode & 0o7777 if file.exists() else PRIVATE
            _replace(file, after, mode)
            return True
    except KubeconfigProblem as problem:
        raise KubeconfigProblem(f"{path}: {problem.detail}", fix=problem.fix) from problem
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error


def _replace(file: Path, text: str, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(mode)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    # client-go's protocol: whoever makes FILE.lock may write. It has no owner and no expiry,
    # so a lock that a killed program left is named to the user instead of being broken.
    lock = file.with_name(file.name + ".lock")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
            break
        except FileExistsError as error:
            if time.monotonic() > deadline:
                raise KubeconfigProblem(
                    f"{file} is locked by {lock} for more than {LOCK_SECONDS:g} s.",
                    fix=f"When no kubectl, kind or pyk8s is at work: rm {lock}",
                ) from error
            time.sleep(LOCK_PAUSE_SECONDS)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _folder(path: Path) -> Path:
    return path.resolve().parent


def _nearest_folder(path: Path) -> Path:
    return next(folder for folder in path.resolve().parents if folder.exists())


def _unusable(path: Path, error: Exception) -> KubeconfigProblem:
    reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
    return KubeconfigProblem(
        f"The kubeconfig {path} cannot be used: {reason}.",
        fix="Set KUBECONFIG to another file, or print it: pyk8s kubeconfig get NAME",
    )


def read_entries(text: str, *, context: str, cluster_id: str | None = None) -> Entries:
    """Take the one cluster and its user out of what a server sent, to stand under `context`.

    Only plain connection data and credentials pass: a server must not bring a command
    (`exec`) that kubectl would run on this machine.

    Raises:
        KubeconfigProblem: it holds something else.
    """
    try:
        document = kubeconfig_text.read_plain(text)
    except KubeconfigProblem as problem:
        raise _not_plain(problem.detail) from problem
    found = {}
    for section, key in kubeconfig_text.SECTIONS.items():
        items = document.get(section) or []
        value = items[0].get(key) if len(items) == 1 else None
        strange = set(value) - SAFE_KEYS[section] if isinstance(value, dict) else {key}
        if isinstance(value, dict):
            strange |= {name for name, each in value.items() if not isinstance(each, str)}
        if strange or value is None:
            raise _not_plain(f"look at {section} ({', '.join(sorted(map(str, strange)))}).")
        found[section] = value
    return Entries(context, found["clusters"], found["users"], cluster_id)


def _not_plain(why: str) -> KubeconfigProblem:
    return KubeconfigProblem(
        f"The server's kubeconfig is not a plain one: {why}",
        fix="Look at it, and do not use it: pyk8s kubeconfig get NAME --raw",
    )


def endpoint_of(entries: Entries) -> Endpoint:
    """Tell from what a server sent where it is used: a certificate is for the cluster itself."""
    return Endpoint.DIRECT if "client-certificate-data" in entries.user else Endpoint.PROXY


def exec_entries(
    created: CreatedCredential, program: Sequence[str], *, context: str, cluster_id: str
) -> Entries:
    """Write entries without a secret: kubectl runs `program`, which gives it a token.

    The server's answer fills in the address only; what is run here is said here.
    """
    cluster = {"server": created.server}
    if created.certificate_authority is not None:
        authority = base64.b64encode(created.certificate_authority.encode()).decode()
        cluster["certificate-authority-data"] = authority
    if created.tls_server_name is not None:
        cluster["tls-server-name"] = created.tls_server_name
    user = {
        "exec": {
            "apiVersion": EXEC_VERSION,
            "command": program[0],
            "args": [*program[1:]],
            "interactiveMode": "Never",
            "provideClusterInfo": False,
        }
    }
    return Entries(context, cluster, user, cluster_id)
