"""Write the reference from the commands themselves: `python -m pyk8s.cli.reference [FILE]`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from pyk8s.cli import exits
from pyk8s.cli.main import app
from pyk8s.client.config import DEFAULT_URL, TOKEN_VARIABLE, URL_VARIABLE

WIDTH = 80

HEAD = f"""\
# The command line

<!-- Generated: python -m pyk8s.cli.reference -->

Data goes to standard output, everything else to standard error. `-o json` is the API's own
JSON. On a terminal a line moves while something is awaited; elsewhere lines are plain.
`NO_COLOR` is obeyed.

## Which server, and as whom

A flag counts over the environment, the environment over the file of logins.

| | flag | environment | otherwise |
|---|---|---|---|
| server | `--url` | `{URL_VARIABLE}` | that of the last login, else `{DEFAULT_URL}` |
| token | | `{TOKEN_VARIABLE}` | that of the last login to this server |
| kubeconfig | `--file` | `KUBECONFIG` (its first writable file) | `~/.kube/config` |

The file of logins is `pyk8s/config.toml` in `$XDG_CONFIG_HOME` (`~/.config`; on macOS
`~/Library/Application Support`), readable by its owner only. It holds one token for each
server, and a token is never sent to another server than its own. A password is never kept.
What `kubeconfig token` gives to kubectl is kept in `pyk8s/credentials` in `$XDG_STATE_HOME`
(`~/.local/state`), readable by its owner only; `logout` ends it.

## Exit codes

| code | meaning |
|---|---|
"""


def pages() -> str:
    """Give the whole page."""
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in exits.MEANING.items())
    return HEAD + codes + "".join(_command(get_command(app), "pyk8s", None))


def _command(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=WIDTH
    )
    yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context).strip()}\n```\n"
    for key, child in sorted(getattr(command, "commands", {}).items()):
        yield from _command(child, key, context)


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "docs/reference/cli.md"
    Path(target).write_text(pages(), encoding="utf-8")
