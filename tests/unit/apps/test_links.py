"""Links: what was signed is read again, and nothing else."""

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.apps import links
from server.apps.links import Link, NoLink

KEY = b"k" * 32
moments = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=0)
)
any_link = st.builds(Link, st.uuids(), st.integers(0, 2**32 - 1), moments)


@given(any_link)
def test_what_was_signed_is_read_again(link: Link) -> None:
    assert links.read(KEY, links.sign(KEY, link)) == link


@given(any_link, st.integers(min_value=0), st.integers(1, 255))
def test_no_bit_of_it_can_be_changed(link: Link, at: int, by: int) -> None:
    signed = bytearray(links.sign(KEY, link).encode())
    signed[at % len(signed)] ^= by
    text = signed.decode("latin-1")
    with suppress(NoLink):
        assert links.read(KEY, text) == link  # another spelling of the same bits at its end


@given(st.text(max_size=100))
def test_anything_else_is_no_link(text: str) -> None:
    with pytest.raises(NoLink):
        links.read(KEY, text)


def test_another_key_signs_other_links() -> None:
    link = Link(UUID(int=1), 0, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(NoLink):
        links.read(b"x" * 32, links.sign(KEY, link))
