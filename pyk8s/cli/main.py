"""`pyk8s`: all commands together."""

import os
from typing import Annotated

import typer

from pyk8s.cli import (
    account,
    admin,
    apps,
    clusters,
    completion,
    create,
    doctor,
    evidence,
    follow,
    images,
    kubeconfigs,
    lifetime,
    shell,
    timeline,
    tokens,
    up,
    usage,
)
from pyk8s.cli.command import Format, Quiet, Url
from pyk8s.cli.completion import COMPLETE_VARIABLE
from pyk8s.wire.version import VERSION

app = typer.Typer(
    name="pyk8s",
    help="Real, private, temporary Kubernetes clusters on demand.",
    epilog="Start: pyk8s up, pyk8s register, pyk8s create demo. More: pyk8s COMMAND --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"pyk8s {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    url: Url = None,
    output: Format = None,
    quiet: Quiet = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Real, private, temporary Kubernetes clusters on demand."""


for module in (
    up,
    account,
    create,
    clusters,
    lifetime,
    evidence,
    doctor,
    follow,
    images,
    timeline,
    usage,
    kubeconfigs,
    shell,
    apps,
    tokens,
    admin,
    completion,
):
    module.register(app)


def main() -> None:
    """Run the command line; never returns."""
    if COMPLETE_VARIABLE in os.environ:
        # Makes the shells known to typer, which does it on its own only for its own options.
        from typer.completion import get_completion_inspect_parameters

        get_completion_inspect_parameters()
    app(prog_name="pyk8s")
