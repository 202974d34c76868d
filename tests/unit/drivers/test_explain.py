"""The rules: each explains an excerpt of a real failure, and what fits none says so.

tests/golden/failures/CODE.txt or CODE.VARIANT.txt: a first line that says where the words are
from, then sections `--- log` and `--- FILE OF THE EVIDENCE`.
"""

import re
from pathlib import Path

import pytest

from pyk8s.wire.cluster import Step
from server.drivers.explain import MAX_EVIDENCE, RULES, docs_of, explain

REPOSITORY = Path(__file__).resolve().parents[3]
GOLDEN = sorted((REPOSITORY / "tests" / "golden" / "failures").glob("*.txt"))
CODES = [rule.explanation.code for rule in RULES]


def sections(text: str) -> tuple[str, list[str], list[str]]:
    """Give where it is from, the log, and the lines of the evidence."""
    first, *rest = text.splitlines()
    log: list[str] = []
    clues: list[str] = []
    into = log
    for line in rest:
        if line.startswith("--- "):
            into = log if line == "--- log" else clues
        else:
            into.append(line)
    return first, log, clues


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_an_excerpt_is_explained(path: Path) -> None:
    source, log, clues = sections(path.read_text())
    assert source.startswith("# from: ")
    found = explain(log, clues)
    assert found.explanation.code == path.name.partition(".")[0]
    assert 0 < len(found.evidence) + len(found.clues) <= MAX_EVIDENCE + len(clues)
    assert all(log[number].strip() for number in found.evidence)


def test_every_rule_has_an_excerpt() -> None:
    assert len(RULES) >= 40
    assert set(CODES) - {path.name.partition(".")[0] for path in GOLDEN} == set()


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_same_words_of_a_good_step_explain_nothing(path: Path) -> None:
    _, log, _ = sections(path.read_text())
    steps = [f" • {name}  ..." for name in ("Writing configuration 📜",)]
    words = [line for line in log if not re.match(r" [•✓✗] |cgroup v1 is", line)]
    found = explain([*steps, *words, " ✓ Writing configuration 📜", " • Installing CNI  ..."])
    assert found.explanation.code == "unexplained"


def test_healthy_transcripts_of_kind_are_explained_by_no_rule() -> None:
    for name in ("create-run1.stderr", "create-3node-nontty.txt", "create-nowait-nontty.txt"):
        lines = (REPOSITORY / "tests" / "golden" / "kind" / name).read_text().splitlines()
        assert explain(lines).explanation.code == "unexplained", name


def test_what_a_healthy_node_complains_of_explains_nothing() -> None:
    """The warnings and errors of kubelet, containerd and pods of a cluster that came up well."""
    clues = (REPOSITORY / "tests" / "golden" / "healthy-node.txt").read_text().splitlines()
    assert len(clues) > 20
    assert explain(["ERROR: x"], clues).explanation.code == "unexplained"


def test_a_rule_of_one_step_is_silent_about_another() -> None:
    line = 'Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout'
    assert explain([line], failed_step=Step.NODE_IMAGE).explanation.code == "registry_timeout"
    assert explain([line], failed_step=Step.STORAGE).explanation.code == "unexplained"
    assert explain([line]).explanation.code == "unexplained"


def test_words_that_also_stand_in_good_journals_count_in_the_log_only() -> None:
    line = "port is already allocated"
    assert explain(["x", line]).explanation.code == "port_taken"
    assert explain(["x"], [line]).explanation.code == "unexplained"


def test_the_evidence_explains_what_the_log_only_tells_of() -> None:
    log = ["ERROR: failed to create cluster: failed to init node with kubeadm: exit status 1"]
    clues = ["started", "kubelet: running with swap on is not supported", "ended"]
    assert explain(log).explanation.code == "control_plane_down"
    found = explain(log, clues)
    assert (found.explanation.code, found.evidence, found.clues) == ("swap_on", [0], [1])


def test_what_no_rule_knows_shows_the_lines_that_look_wrong() -> None:
    lines = ["fine"] * 50 + ["ERROR: something new", "fine", "fatal: at the disco"] + ["fine"] * 9
    found = explain(lines, ["calm", "it failed badly"])
    assert found.explanation.code == "unexplained"
    assert found.evidence == [50, 52]
    assert found.clues == [1]


def test_without_any_such_line_the_last_words_are_shown() -> None:
    found = explain([str(n) for n in range(100)] + ["", " "])
    assert found.evidence == list(range(100 - MAX_EVIDENCE, 100))
    assert explain([]).evidence == []


def test_a_line_without_end_is_looked_at_in_part() -> None:
    assert explain(["x" * 10_000_000 + "too many open files"]).explanation.code == "unexplained"


def test_codes_are_stable_words_and_every_explanation_has_a_way_out() -> None:
    assert len(CODES) == len(set(CODES))
    for rule in RULES:
        assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", rule.explanation.code)
        assert rule.explanation.title
        assert rule.explanation.cause
        assert rule.explanation.fix


def test_every_link_leads_to_its_heading() -> None:
    for code in [*CODES, "unexplained"]:
        name, _, anchor = docs_of(code).partition("#")
        assert f"\n### {anchor}\n" in (REPOSITORY / name).read_text(), code
