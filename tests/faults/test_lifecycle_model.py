"""The lifecycle against a small model: random commands of several clients at a whole server.

The model knows for each cluster the phases that it may be in. Whatever it says cannot be is a
divergence: an answer, a phase, a history, or something that is left at the end.
"""

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Part
from hypothesis import strategies as st

from pyk8s.wire.cluster import Phase
from server.lifecycle import TRANSITIONS
from tests.faults.stage import staged

QUOTA: Final = 3
NAMES: Final = ["red", "green", "blue"]
USERS: Final = ["ann", "bob"]
SCENARIOS: Final = {
    "ok": {"pending", "provisioning", "ready"},
    "fail-start": {"pending", "provisioning", "failed"},
    "hang": {"pending", "provisioning"},
}
"""Where a create may be, as long as nobody steps in."""
ENDS: Final = {"ok": "ready", "fail-start": "failed"}
GOING: Final = {"deleting", "deleted"}
FINAL: Final = {"ready", "failed", "deleted"}
COMMANDS: Final = ["delete", "extend", "cancel", "retry"]
PATIENCE_SECONDS: Final = 40.0
WHICH: Final = st.integers(0, 59)
"""Which cluster, counted round."""


@dataclass
class Modelled:
    """A cluster as the model sees it."""

    owner: str
    name: str
    id: str
    scenario: str
    may: set[str] = field(default_factory=set)
    last_seq: int = 0

    def expects(self, command: str) -> set[int]:
        """Say which answers are possible now."""
        good = {
            "extend": {"ready"},
            "cancel": {"pending", "provisioning"},
            "retry": {"failed"},
        }.get(command, set(Phase))
        codes = set()
        if self.may & good:
            codes |= {202, 204} if command == "delete" else {202}
        if self.may - good:
            codes.add(409)
        return codes

    def did(self, command: str, status: int) -> None:
        """Take in that a command was answered so."""
        if command == "delete":
            self.may = set(GOING)
        elif status == 202:
            self.may = {
                "extend": {"ready"},
                "cancel": {"failed"},
                "retry": set(SCENARIOS[self.scenario]),
            }[command]
        elif command == "cancel":
            self.may = self.may - {"pending", "provisioning"}
        # Refused otherwise: it may get there a moment later.

    def saw(self, phase: str) -> None:
        """Take in where it is."""
        assert phase in self.may, f"{self.name} is {phase}, and may be {sorted(self.may)}"
        if phase in FINAL:
            self.may = {phase}
        elif phase == "provisioning":
            self.may -= {"pending"}


@dataclass(frozen=True, slots=True)
class Installation:
    """A server, and a client of each of its users."""

    clients: dict[str, httpx.Client]
    data_dir: Path


@dataclass
class Play:
    """One run of random steps at an installation, and what the model knows of its clusters."""

    installation: Installation
    clusters: list[Modelled] = field(default_factory=list)

    def of(self, owner: str, *, surely: bool) -> list[Modelled]:
        """Give the living clusters of a user: those that surely live, or may live."""
        gone = GOING if surely else {"deleted"}
        return [each for each in self.clusters if each.owner == owner and not each.may <= gone]

    def pick(self, n: int) -> Modelled | None:
        """Give a cluster, counted round; nothing while there is none."""
        return self.clusters[n % len(self.clusters)] if self.clusters else None

    def look(self) -> None:
        """See that every cluster is where it may be."""
        for cluster in self.clusters:
            if cluster.may == {"deleted"}:
                continue
            now = self.client(cluster).get(f"/clusters/{cluster.id}").json()
            cluster.saw(now["phase"])
            assert now["last_seq"] >= cluster.last_seq
            cluster.last_seq = now["last_seq"]

    def end(self) -> None:
        """Delete all, and see that nothing is left."""
        for cluster in self.clusters:
            self.at_once([self.request(cluster, "delete")])
            cluster.did("delete", 202)
        for cluster in self.clusters:
            self.until(cluster, "deleted")
            check_history(self.client(cluster), cluster)
        until = time.monotonic() + PATIENCE_SECONDS
        while left := leftovers(self.installation.data_dir):
            assert time.monotonic() < until, left
            time.sleep(0.02)

    def client(self, cluster: Modelled) -> httpx.Client:
        return self.installation.clients[cluster.owner]

    def request(self, cluster: Modelled, command: str) -> tuple[str, str, str, Any]:
        path = f"/clusters/{cluster.id}"
        if command == "delete":
            return ("DELETE", cluster.owner, path, None)
        body = {"seconds": 60} if command == "extend" else None
        return ("POST", cluster.owner, f"{path}/{command}", body)

    def at_once(self, requests: list[tuple[str, str, str, Any]]) -> list[httpx.Response]:
        """Send all at the same time."""

        def send(each: tuple[str, str, str, Any]) -> httpx.Response:
            method, owner, path, body = each
            return self.installation.clients[owner].request(method, path, json=body)

        if len(requests) == 1:
            return [send(requests[0])]
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(send, requests))

    def until(self, cluster: Modelled, phase: str) -> None:
        """Wait for a phase."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.client(cluster).get(f"/clusters/{cluster.id}")
            cluster.saw(answer.json()["phase"])
            if cluster.may == {phase}:
                return
            assert time.monotonic() < until, (cluster, answer.text)
            time.sleep(0.02)


class Step(Protocol):
    """What somebody does."""

    def do(self, play: Play) -> None: ...


@dataclass(frozen=True, slots=True)
class Create:
    owner: str
    name: str
    scenario: str
    twice: bool

    def do(self, play: Play) -> None:
        surely, maybe = (play.of(self.owner, surely=sure) for sure in (True, False))
        expected = set()
        if len(maybe) >= QUOTA:
            expected.add(429)
        if len(surely) < QUOTA:
            if self.name in {each.name for each in maybe}:
                expected.add(409)
            if self.name not in {each.name for each in surely}:
                expected.add(202)
        body = {"name": self.name, "labels": {"simulate": self.scenario}}
        answers = play.at_once([("POST", self.owner, "/clusters", body)] * (1 + self.twice))
        made = [each for each in answers if each.status_code == 202]
        assert len(made) <= 1
        for each in answers:
            allowed = expected | ({409, 429} if made else set())
            assert each.status_code in allowed, (each.status_code, each.text, allowed)
        if made:
            may = set(SCENARIOS[self.scenario])
            cluster_id = made[0].json()["id"]
            play.clusters.append(Modelled(self.owner, self.name, cluster_id, self.scenario, may))


@dataclass(frozen=True, slots=True)
class Act:
    n: int
    command: str

    def do(self, play: Play) -> None:
        if (cluster := play.pick(self.n)) is None:
            return
        (answer,) = play.at_once([play.request(cluster, self.command)])
        expected = cluster.expects(self.command)
        assert answer.status_code in expected, (self.command, answer.text, cluster)
        cluster.did(self.command, answer.status_code)


@dataclass(frozen=True, slots=True)
class ActAtOnce:
    n: int
    commands: list[str]

    def do(self, play: Play) -> None:
        if (cluster := play.pick(self.n)) is None:
            return
        answers = play.at_once([play.request(cluster, each) for each in self.commands])
        codes = list(zip(self.commands, (each.status_code for each in answers), strict=True))
        assert all(code in {202, 204, 409} for _, code in codes), codes
        if "delete" in self.commands:
            cluster.did("delete", 202)
            return
        done = {command for command, code in codes if code == 202}
        if "retry" in done:
            cluster.may = SCENARIOS[cluster.scenario] | {"failed"}
        elif "cancel" in done:
            cluster.may = {"failed"}


@dataclass(frozen=True, slots=True)
class Wait:
    n: int

    def do(self, play: Play) -> None:
        if (cluster := play.pick(self.n)) is None:
            return
        if cluster.may <= GOING:
            play.until(cluster, "deleted")
        elif cluster.scenario in ENDS:
            end = ENDS[cluster.scenario]
            if end in cluster.may and "failed" not in cluster.may - {end}:
                play.until(cluster, end)


@dataclass(frozen=True, slots=True)
class LookAsSomebodyElse:
    n: int

    def do(self, play: Play) -> None:
        if (cluster := play.pick(self.n)) is None:
            return
        other = next(name for name in USERS if name != cluster.owner)
        client = play.installation.clients[other]
        assert client.get(f"/clusters/{cluster.id}").status_code == 404
        assert client.delete(f"/clusters/{cluster.id}").status_code == 404


CREATES: Final = st.builds(
    Create,
    st.sampled_from(USERS),
    st.sampled_from(NAMES),
    st.sampled_from(sorted(SCENARIOS)),
    st.booleans(),
)
OTHERS: Final[list[st.SearchStrategy[Step]]] = [
    st.builds(Act, WHICH, st.sampled_from(COMMANDS)),
    st.builds(ActAtOnce, WHICH, st.lists(st.sampled_from(COMMANDS), min_size=2, max_size=4)),
    st.builds(Wait, WHICH),
    st.builds(LookAsSomebodyElse, WHICH),
]


@st.composite
def programs(draw: st.DrawFn, steps: int) -> list[Step]:
    """Draw a whole run, about so many steps long; some lack a kind of step or two.

    All of it is drawn before its first request: Hypothesis takes a run that stops drawing where
    an equal one went on for a fault of the test, and then hides what really failed.
    """
    kinds = draw(st.sets(st.sampled_from(range(len(OTHERS))), min_size=1))
    step = st.one_of(CREATES, *(OTHERS[kind] for kind in sorted(kinds)))
    return draw(st.lists(step, min_size=steps // 2, max_size=steps + steps // 2))


def play_through(installation: Installation, program: list[Step]) -> None:
    """Do every step, and look after each."""
    play = Play(installation)
    try:
        for step in program:
            step.do(play)
            play.look()
    except BaseException as error:
        error.add_note(f"while it played {program}")
        with contextlib.suppress(Exception):  # it would hide what failed first
            play.end()
        raise
    play.end()


def check_history(client: httpx.Client, cluster: Modelled) -> None:
    """See that the events are without a gap, and each change of phase is one that may be."""
    answer = client.get(f"/clusters/{cluster.id}/events", params={"limit": 1000}).json()
    assert [each["seq"] for each in answer["items"]] == list(range(1, len(answer["items"]) + 1))
    phase = Phase.PENDING
    for each in answer["items"]:
        if each["type"] == "phase_changed":
            assert each["data"]["from"] == phase
            target = Phase(each["data"]["to"])
            assert target in TRANSITIONS[phase]
            phase = target
    assert phase is Phase.DELETED


def leftovers(data_dir: Path) -> list[str]:
    """List what is left of clusters that are gone."""
    pieces = [*(data_dir / "simulated").glob("*"), *(data_dir / "attempts").glob("*-*")]
    return [str(path) for path in pieces]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("runs", "steps"),
    [
        *(pytest.param(45, 8, id=f"usual-{n}") for n in range(2)),  # to be shared out
        pytest.param(500, 8, id="wide", marks=pytest.mark.long),
        pytest.param(500, 40, id="long", marks=pytest.mark.long),
    ],
)
async def test_no_divergence(database_url: str, runs: int, steps: int) -> None:
    options = {
        "PYK8S_DRIVER": "simulated",
        "PYK8S_PROXY_PORT": "0",
        "PYK8S_APPS_PORT": "0",
        "PYK8S_SIMULATED_SPEED": "500",
        "PYK8S_MAX_CREATES": "6",
        "PYK8S_MAX_CLUSTERS_PER_USER": str(QUOTA),
    }
    async with staged(database_url, **options) as stage:
        await stage.server.start()
        clients = {}
        for name in USERS:
            stage.http.headers.pop("Authorization", None)
            await stage.sign_up(name)
            clients[name] = httpx.Client(
                base_url=f"{stage.server.url}/api/v1",
                headers={"Authorization": stage.http.headers["Authorization"]},
                trust_env=False,
                timeout=30,
                # The server ends what was idle for 5 s: that must not meet a request.
                limits=httpx.Limits(keepalive_expiry=2),
            )
        installation = Installation(clients, stage.path / "data")

        def run(program: list[Step]) -> None:
            play_through(installation, program)

        how = settings(
            max_examples=runs,
            phases=[Part.generate],  # to shrink at a living server takes too long
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        try:
            await asyncio.to_thread(how(given(programs(steps))(run)))
        finally:
            for client in clients.values():
                client.close()
