"""completion: scripts for the shells."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from pyk8s.cli.command import command
from pyk8s.cli.session import Session

COMPLETE_VARIABLE = "_PYK8S_COMPLETE"
"""The shell asks for completions, and we for the script, by setting this: typer's own way."""


class Shell(StrEnum):
    """The shells that there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @command(app, "completion")
    def _(
        session: Session,
        shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")],
    ) -> None:
        """Print a completion script. For bash: source <(pyk8s completion bash)."""
        # typer's own way of asking for the script is a variable of the environment.
        from typer.completion import get_completion_inspect_parameters

        get_completion_inspect_parameters()
        os.environ[COMPLETE_VARIABLE] = f"source_{shell.value}"
        try:
            app(prog_name="pyk8s", args=[])
        finally:
            del os.environ[COMPLETE_VARIABLE]
