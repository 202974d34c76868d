"""Whom to tell of a weakness: only what the operator has said, while it holds."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from server.api.well_known import security_txt
from server.config import Settings
from server.errors import NotFound

NOW = datetime(2026, 11, 30, tzinfo=UTC)
GIVEN = {
    "security_contact": "mailto:security@example.org, https://example.org/report",
    "security_expires": "2027-06-01T02:00:00+02:00",
}


def test_it_says_what_the_operator_said() -> None:
    assert security_txt(Settings(**GIVEN), NOW) == (  # type: ignore[arg-type]
        "Contact: mailto:security@example.org\n"
        "Contact: https://example.org/report\n"
        "Expires: 2027-06-01T00:00:00Z\n"
    )


def test_nothing_is_made_up() -> None:
    with pytest.raises(NotFound, match="has named no contact") as refusal:
        security_txt(Settings(), NOW)
    assert "PYK8S_SECURITY_CONTACT" in (refusal.value.fix or "")
    with pytest.raises(NotFound, match="expired on 2027-06-01"):
        security_txt(Settings(**GIVEN), datetime(2027, 6, 1, tzinfo=UTC))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        {"security_contact": "security@example.org", "security_expires": "2027-06-01T00:00:00Z"},
        {"security_contact": "http://example.org", "security_expires": "2027-06-01T00:00:00Z"},
        {"security_contact": "mailto:a@b.org\nX: y", "security_expires": "2027-06-01T00:00:00Z"},
        {"security_contact": "mailto:a@b.org", "security_expires": "2027-06-01T00:00:00"},
        {"security_contact": "mailto:a@b.org"},
        {"security_expires": "2027-06-01T00:00:00Z"},
    ],
)
def test_what_nobody_could_use_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)  # type: ignore[arg-type]
