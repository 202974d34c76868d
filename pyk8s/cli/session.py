"""What a command works with: where the server is, how to print, how to fail."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyk8s.cli.table import Table
from pyk8s.cli.words import plain, shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from pyk8s.client.errors import LabError
    from pyk8s.client.lab import Lab


class Output(StrEnum):
    """How to print data."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"
    JSONL = "jsonl"


@dataclass(frozen=True)
class Session:
    """One run of one command. Data goes to stdout, everything else to stderr."""

    url: str | None = None
    output: Output = Output.TABLE
    is_quiet: bool = False

    def lab(self) -> "Lab":
        """Open the server that flag, environment or file name."""
        from pyk8s.client.lab import Lab

        return Lab(self.url)

    @cached_property
    def out(self) -> "Console":
        """The terminal for data."""
        from rich.console import Console

        return Console(markup=False, highlight=False, emoji=False, soft_wrap=True)

    @cached_property
    def err(self) -> "Console":
        """The terminal for chatter."""
        from rich.console import Console

        return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)

    @property
    def is_interactive(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def is_live(self) -> bool:
        """Whether a line may move."""
        return self.err.is_terminal and not self.err.is_dumb_terminal and not self.is_quiet

    def say(self, text: str = "", style: str = "") -> None:
        """Tell the person something that is not data."""
        from rich.text import Text

        if not self.is_quiet:
            self.tell(Text(shown(text), style))

    def tell(self, text: "Text | str", *, is_data: bool = False) -> None:
        """Print a sentence; on a terminal it is broken between words."""
        console = self.out if is_data else self.err
        console.print(text, soft_wrap=not console.is_terminal)

    def data(self, text: str) -> None:
        """Print data; on a terminal without what could change it."""
        if sys.stdout.isatty():
            text = shown(text)
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    def tell_pair(self, label: str, text: str, *, is_data: bool = False) -> None:
        """Print a short label and a sentence, whose further lines stand under its beginning."""
        import textwrap

        from rich.text import Text

        console = self.out if is_data else self.err
        room = max(20, console.width - len(label)) if console.is_terminal else 1_000_000
        first, *rest = textwrap.wrap(plain(text), room, break_on_hyphens=False) or [""]
        console.print(Text(label, "dim").append(first, "not dim"))
        for line in rest:
            console.print(" " * len(label) + line)

    def show(
        self,
        document: Mapping[str, Any],
        *,
        name: Callable[[Mapping[str, Any]], str],
        table: Callable[[], None],
    ) -> None:
        """Print one answer of the API, or a list of `items`, as `-o` says.

        `-q` prints the names alone unless `-o` asks for something else.
        """
        items: Sequence[Mapping[str, Any]] = document.get("items", [document])
        match self.output:
            case Output.JSON:
                self.data(json.dumps(document, indent=2, ensure_ascii=False))
            case Output.JSONL:
                for item in items:
                    self.data(json.dumps(item, ensure_ascii=False))
            case Output.YAML:
                self.data(to_yaml(document))
            case Output.TABLE if not self.is_quiet:
                table()
            case _:
                for item in items:
                    self.data(name(item))

    def print_table(self, table: Table) -> None:
        """Print a table; on a terminal no wider than that."""
        from rich.text import Text

        width = self.out.width if self.out.is_terminal else None
        for line in table.fitted(width):
            text = Text()
            for cell in line:
                text.append(cell.text, style=cell.style)
            text.rstrip()
            self.out.print(text)

    def print_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Print names and values, a line each."""
        from rich.text import Text

        width = max(len(name) for name, _ in facts) + 2
        for name, value in facts:
            self.out.print(Text(f"{name:<{width}}", style="dim").append(plain(value), "default"))

    def complain(self, error: "LabError") -> None:
        """Say what is wrong and the way out."""
        from rich.text import Text

        self.tell(Text("Error: ", "bold red").append(plain(error.detail), "not bold default"))
        for field in getattr(error, "errors", ()):
            line = f"{field.field}: {field.message}"
            if line not in error.detail:
                self.tell(f"  {plain(line)}")
        fix = self.way_out(error)
        if fix:
            self.tell(Text("Fix: ", "bold").append(plain(fix), "not bold"))

    def way_out(self, error: "LabError") -> str | None:
        """Give the fix in the words of the command line where it knows a better one."""
        from pyk8s.client.errors import Unauthenticated

        if isinstance(error, Unauthenticated) and error.code == "unauthenticated":
            if os.environ.get("PYK8S_TOKEN"):
                return "PYK8S_TOKEN is not (or no longer) valid for this server."
            other = f"--url {self.url} " if self.url else ""
            return f"Sign in: pyk8s {other}login. No account yet: pyk8s {other}register"
        return error.fix


def to_yaml(document: Mapping[str, Any]) -> str:
    """Write JSON data as YAML."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    out = io.StringIO()
    yaml.dump(dict(document), out)
    return out.getvalue()
