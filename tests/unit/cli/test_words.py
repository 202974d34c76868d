import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyk8s.cli.words import coloured, parse_duration, plain, short, shown, spoken


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1d", 86400), ("90", 90), ("1H 5M", 3900)],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "5x", "1.5h", "-5m", "h", "1h30", "m30"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="1h30m"):
        parse_duration(text)


@given(st.integers(0, 59), st.integers(0, 23), st.integers(0, 59))
def test_a_duration_that_was_written_short_is_read_again(days: int, hours: int, mins: int) -> None:
    seconds = days * 86400 + hours * 3600 + mins * 60
    assert 0 <= seconds - parse_duration(short(seconds)) < (3600 if days else 60)
    assert len(short(seconds)) <= 6


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (3600, "60 min"), (9000, "2 h 30 min"), (7200, "2 h")],
)
def test_durations_are_spoken(seconds: int, words: str) -> None:
    assert spoken(seconds) == words


@given(st.text())
def test_nothing_that_a_server_says_reaches_the_terminal_as_a_command(text: str) -> None:
    assert all(c.isprintable() or c == "\t" for c in plain(text))
    assert "\x1b" not in coloured(text).replace("\x1b[0m", "") or "\x1b[" in text


def test_colours_stay_where_they_are_wanted_and_are_closed() -> None:
    hostile = "\x1b[31mred\x1b[2J\x1b]0;title\x07\r end"
    assert plain(hostile) == "red[2J]0;title end"
    assert coloured(hostile) == "\x1b[31mred[2J]0;title end\x1b[0m"


@given(st.text())
def test_data_is_escaped_for_a_terminal_as_json_does_it(text: str) -> None:
    assert all(c.isprintable() or c in "\n\t" for c in shown(text))
    document = json.dumps({"text": text}, ensure_ascii=False)
    assert json.loads(shown(document)) == {"text": text}
