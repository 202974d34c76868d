"""admin backup, admin restore: run the server's own program, on the machine of the server."""

import importlib.util
import subprocess
import sys
from typing import Annotated

import typer

from pyk8s.cli.command import command
from pyk8s.cli.session import Session

PROGRAM = "server.backup"
File = Annotated[str, typer.Argument(metavar="FILE", help="The backup. `-`: through a pipe.")]


def register(group: typer.Typer) -> None:
    """Add the commands to `pyk8s admin`."""

    @command(group, "backup")
    def _(
        session: Session,
        file: File,
        force: Annotated[
            bool, typer.Option("--force", help="Overwrite a file that is there.")
        ] = False,
    ) -> None:
        """Write everything of the server on this machine into one file: database, keys, files.

        The server may run. The file opens every cluster and account: keep it like a password.
        """
        _run(session, "backup", file, *(["--force"] if force else []))

    @command(group, "restore")
    def _(
        session: Session,
        file: File,
        replace: Annotated[
            bool, typer.Option("--replace", help="Delete the server's data that is there.")
        ] = False,
        keep_epoch: Annotated[
            bool,
            typer.Option(
                "--keep-epoch",
                help="Let clients read on where they were. Only if the old server has written "
                "nothing since the backup.",
            ),
        ] = False,
    ) -> None:
        """Bring a backup back on this machine, before the server is started.

        It goes into PYK8S_DATA_DIR and PYK8S_DATABASE_URL, which have to be empty.
        """
        options = [
            *(["--replace"] if replace else []),
            *(["--keep-epoch"] if keep_epoch else []),
        ]
        _run(session, "restore", file, *options)


def _run(session: Session, verb: str, file: str, *options: str) -> None:
    """Become the server's program; its exit status is ours."""
    from pyk8s.client.errors import ConfigProblem

    if importlib.util.find_spec(PROGRAM.partition(".")[0]) is None:
        way = {
            "backup": "exec -T backend pyk8s admin backup - > FILE",
            "restore": "run --rm -T backend pyk8s admin restore - < FILE",
        }[verb]
        raise ConfigProblem(
            "the server is not installed here; backups are made and restored where it runs",
            fix=f"in containers: docker compose {way}; see docs/howto/operate.md",
        )
    argv = [sys.executable, "-m", PROGRAM, verb, *options]
    if session.is_quiet:
        argv.append("--quiet")
    done = subprocess.run([*argv, "--", file], check=False)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)
