from pathlib import Path

import pytest

from pyk8s.cli.reference import pages

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


@pytest.mark.parametrize("columns", ["40", "200"])
def test_the_page_is_what_the_commands_say_on_any_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert PAGE.read_text(encoding="utf-8") == pages(), "out of date: python -m pyk8s.cli.reference"
