"""Asks a server how it is, without signing in and without patience."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pyk8s.client.http import Http, understand
from pyk8s.wire.service import Health


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a server says of itself at one moment."""

    health: Health
    clock_skew_seconds: float | None
    """How far the server's clock is before this machine's; None: it does not tell the time."""


async def ask(http: Http) -> Vitals:
    """Ask for every check of the server, whether it is ready or not.

    Raises:
        Unreachable: nobody answers.
        Misunderstood: the answer is not that of a PyK8s-Lab server.
    """
    before = datetime.now(UTC)
    response = await http.look("/readyz?verbose")
    middle = before + (datetime.now(UTC) - before) / 2
    health = understand(Health, http.document_of(response))
    return Vitals(health, _skew(response.headers.get("Date"), middle))


def _skew(date: str | None, now: datetime) -> float | None:
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    if told.tzinfo is None:
        return None
    # The header is cut to whole seconds: its second has lasted half a second on average.
    return (told - now).total_seconds() + 0.5
