"""The state machine as a whole."""

from pyk8s.wire.cluster import Phase
from server.lifecycle import TRANSITIONS, sources_of


def test_every_phase_has_its_row() -> None:
    assert set(TRANSITIONS) == set(Phase)


def test_every_living_phase_can_come_to_its_end() -> None:
    for phase in set(Phase) - {Phase.DELETING, Phase.DELETED}:
        assert Phase.DELETING in TRANSITIONS[phase]
    assert TRANSITIONS[Phase.DELETING] == {Phase.DELETED}


def test_the_end_is_the_end() -> None:
    assert not TRANSITIONS[Phase.DELETED]


def test_sources_are_the_transitions_backwards() -> None:
    for target in Phase:
        for source in Phase:
            assert (source in sources_of(target)) == (target in TRANSITIONS[source])
