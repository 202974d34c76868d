"""Lines like kind's."""

from pyk8s.wire.facts import LogLine
from server.store.event_log import Draft

WORDS = (
    "[kubelet-check] The kubelet is healthy after 501.2 ms, line {}",
    "I1123 12:00:00.000000     178 round_trippers.go:632] Response status=200 #{}",
    '[certs] Generating "apiserver-kubelet-client" certificate and key, {}',
    'node/pyk8s-0192f1-control-plane labeled, "topology.kubernetes.io/zone" {}',
)


def text(number: int) -> str:
    """Give a line of 60 to 80 bytes."""
    return WORDS[number % len(WORDS)].format(number)


def drafts(count: int, *, first: int = 0) -> list[Draft]:
    """Give lines as events that are about to be stored."""
    return [Draft(LogLine(stream="stderr", text=text(first + number))) for number in range(count)]


def events(count: int, *, first: int = 0) -> list[str]:
    """Give the same as the JSON that is stored."""
    return [draft.data.model_dump_json() for draft in drafts(count, first=first)]
