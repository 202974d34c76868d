"""The lifecycle against a small model: random commands of several clients at a whole server.

The model knows for each cluster the phases that it may be in. Whatever it says cannot be is a
divergence: an answer, a phase, a history, or something that is left at the end.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

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
"""Which cluster, counted round: what is drawn must not depend on how quick the server is."""


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


def machine(installation: Installation) -> type[RuleBasedStateMachine]:
    """Make the state machine of one installation."""

    class Lifecycle(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.clusters: list[Modelled] = []

        def of(self, owner: str, *, surely: bool) -> list[Modelled]:
            """Give the living clusters of a user: those that surely live, or may live."""
            gone = GOING if surely else {"deleted"}
            return [each for each in self.clusters if each.owner == owner and not each.may <= gone]

        @rule(
            owner=st.sampled_from(USERS),
            name=st.sampled_from(NAMES),
            scenario=st.sampled_from(sorted(SCENARIOS)),
            twice=st.booleans(),
        )
        def create(self, owner: str, name: str, scenario: str, twice: bool) -> None:
            surely, maybe = (self.of(owner, surely=sure) for sure in (True, False))
            expected = set()
            if len(maybe) >= QUOTA:
                expected.add(429)
            if len(surely) < QUOTA:
                if name in {each.name for each in maybe}:
                    expected.add(409)
                if name not in {each.name for each in surely}:
                    expected.add(202)
            body = {"name": name, "labels": {"simulate": scenario}}
            answers = self.at_once([("POST", owner, "/clusters", body)] * (1 + twice))
            made = [each for each in answers if each.status_code == 202]
            assert len(made) <= 1
            for each in answers:
                allowed = expected | ({409, 429} if made else set())
                assert each.status_code in allowed, (each.status_code, each.text, allowed)
            if made:
                cluster_id = made[0].json()["id"]
                self.clusters.append(
                    Modelled(owner, name, cluster_id, scenario, set(SCENARIOS[scenario]))
                )

        @rule(n=WHICH, command=st.sampled_from(COMMANDS))
        def act(self, n: int, command: str) -> None:
            if not self.clusters:
                return
            cluster = self.clusters[n % len(self.clusters)]
            (answer,) = self.at_once([self.request(cluster, command)])
            expected = cluster.expects(command)
            assert answer.status_code in expected, (command, answer.text, cluster)
            cluster.did(command, answer.status_code)

        @rule(n=WHICH, commands=st.lists(st.sampled_from(COMMANDS), min_size=2, max_size=4))
        def act_at_once(self, n: int, commands: list[str]) -> None:
            if not self.clusters:
                return
            cluster = self.clusters[n % len(self.clusters)]
            answers = self.at_once([self.request(cluster, each) for each in commands])
            codes = list(zip(commands, (each.status_code for each in answers), strict=True))
            assert all(code in {202, 204, 409} for _, code in codes), codes
            if "delete" in commands:
                cluster.did("delete", 202)
                return
            done = {command for command, code in codes if code == 202}
            if "retry" in done:
                cluster.may = SCENARIOS[cluster.scenario] | {"failed"}
            elif "cancel" in done:
                cluster.may = {"failed"}

        @rule(n=WHICH)
        def wait(self, n: int) -> None:
            if not self.clusters:
                return
            cluster = self.clusters[n % len(self.clusters)]
            if cluster.may <= GOING:
                self.until(cluster, "deleted")
            elif cluster.scenario in ENDS:
                end = ENDS[cluster.scenario]
                if end in cluster.may and "failed" not in cluster.may - {end}:
                    self.until(cluster, end)

        @rule(n=WHICH)
        def look_as_somebody_else(self, n: int) -> None:
            if not self.clusters:
                return
            cluster = self.clusters[n % len(self.clusters)]
            other = next(name for name in USERS if name != cluster.owner)
            client = installation.clients[other]
            assert client.get(f"/clusters/{cluster.id}").status_code == 404
            assert client.delete(f"/clusters/{cluster.id}").status_code == 404

        @invariant()
        def is_where_it_may_be(self) -> None:
            for cluster in self.clusters:
                if cluster.may == {"deleted"}:
                    continue
                now = installation.clients[cluster.owner].get(f"/clusters/{cluster.id}").json()
                cluster.saw(now["phase"])
                assert now["last_seq"] >= cluster.last_seq
                cluster.last_seq = now["last_seq"]

        def teardown(self) -> None:
            for cluster in self.clusters:
                self.at_once([self.request(cluster, "delete")])
                cluster.did("delete", 202)
            for cluster in self.clusters:
                self.until(cluster, "deleted")
                check_history(installation.clients[cluster.owner], cluster)
            until = time.monotonic() + PATIENCE_SECONDS
            while left := leftovers(installation.data_dir):
                assert time.monotonic() < until, left
                time.sleep(0.02)

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
                return installation.clients[owner].request(method, path, json=body)

            if len(requests) == 1:
                return [send(requests[0])]
            with ThreadPoolExecutor(len(requests)) as pool:
                return list(pool.map(send, requests))

        def until(self, cluster: Modelled, phase: str) -> None:
            """Wait for a phase."""
            until = time.monotonic() + PATIENCE_SECONDS
            while True:
                answer = installation.clients[cluster.owner].get(f"/clusters/{cluster.id}")
                cluster.saw(answer.json()["phase"])
                if cluster.may == {phase}:
                    return
                assert time.monotonic() < until, (cluster, answer.text)
                time.sleep(0.02)

    return Lifecycle


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
        *(pytest.param(125, 8, id=f"usual-{n}") for n in range(4)),  # 500 runs, to be shared out
        pytest.param(500, 40, id="long", marks=pytest.mark.long),
    ],
)
async def test_no_divergence(database_url: str, runs: int, steps: int) -> None:
    options = {
        "PYK8S_DRIVER": "simulated",
        "PYK8S_PROXY_PORT": "0",
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
            )
        installation = Installation(clients, stage.path / "data")
        how = settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        try:
            await asyncio.to_thread(run_state_machine_as_test, machine(installation), settings=how)
        finally:
            for client in clients.values():
                client.close()
