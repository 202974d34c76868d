import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pyk8s.client.errors import KubeconfigProblem
from pyk8s.client.kubeconfig_text import Entries, cluster_id, put, read, take

OURS = Entries(
    "pyk8s-demo",
    {"server": "https://127.0.0.1:40001", "certificate-authority-data": "LS0tLS1="},
    {"client-certificate-data": "TFM=", "client-key-data": "0123"},
    cluster_id="0190-demo",
)

BY_HAND = """\
# My clusters.
apiVersion: v1
kind: Config
preferences: {}
clusters:
# the big one
- cluster:
    server: "https://prod:6443"   # careful
    insecure-skip-tls-verify: false
  name: prod
# the small one
- name: test
  cluster: {server: 'https://test:6443'}
# people
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
      args: [eks, get-token]
      interactiveMode: IfAvailable
    # end of me
contexts:
  - context:
      cluster: prod
      user: me
    name: prod
current-context: prod
# the last word
"""

# Parsing YAML in Python is slow, and so is Hypothesis's first look at Unicode.
patiently = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
names = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True).filter(lambda n: n != "pyk8s-demo")
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=3,
)


@st.composite
def kubeconfigs(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    for section, key in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
        if draw(st.booleans()):
            found = draw(st.lists(names, max_size=2, unique=True))
            document[section] = [
                {"name": name, key: draw(st.dictionaries(names, values, max_size=3))}
                for name in found
            ]
    if draw(st.booleans()):
        document["current-context"] = draw(names)
    if draw(st.booleans()):
        document["extensions"] = draw(values)
    return document


@st.composite
def written(draw: st.DrawFn, *, flow: tuple[bool | None, ...]) -> str:
    """A kubeconfig as people and programs write it, with comments between the lines."""
    document = draw(kubeconfigs())
    yaml = YAML()
    yaml.default_flow_style = draw(st.sampled_from(flow))
    if draw(st.booleans()):
        yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(document, out)
    lines = out.getvalue().splitlines(keepends=True)
    for index in draw(st.lists(st.integers(0, len(lines)), max_size=3)):
        lines.insert(index, "# said by hand\n")
    text = "".join(lines)
    return text if draw(st.booleans()) else text.removesuffix("\n")


def _sane(text: str) -> bool:
    try:
        read(text)
    except KubeconfigProblem:
        return False
    return True


@patiently
@given(written(flow=(False, None, True)).filter(_sane))
def test_every_other_entry_means_the_same_after_put_and_after_take(text: str) -> None:
    before = read(text)
    merged = read(put(text, OURS))
    for section in ("clusters", "contexts", "users"):
        others = [entry for entry in merged[section] if entry["name"] != "pyk8s-demo"]
        assert others == (before.get(section) or [])
        assert merged[section][-1] == OURS.entry(section)
    rest = {k: v for k, v in merged.items() if k not in {"clusters", "contexts", "users"}}
    assert rest == {k: v for k, v in before.items() if k in rest}

    after = read(take(put(text, OURS), "pyk8s-demo"))
    assert {k: v for k, v in after.items() if v} == {k: v for k, v in before.items() if v}


@patiently
@given(written(flow=(False,)).filter(_sane))
def test_no_comment_is_lost_in_a_file_of_blocks(text: str) -> None:
    merged = put(text, OURS)
    removed = take(merged, "pyk8s-demo")
    for result in (merged, removed):
        assert result.count("# said by hand") == text.count("# said by hand")


NOTHING_AT_THE_END = """\
apiVersion: v1
users:
- name: a
  user:
    said: {}
# said by hand
- name: b
  user:
    list:
    - # nothing
# after it
clusters:
- name: c
  cluster:
"""


def test_an_entry_that_ends_with_nothing_written_is_whole() -> None:
    merged = put(NOTHING_AT_THE_END, OURS)
    kept = iter(merged.splitlines())
    assert all(line in kept for line in NOTHING_AT_THE_END.splitlines())
    assert take(merged, "pyk8s-demo").startswith(NOTHING_AT_THE_END)
    assert "list:\n    - # nothing\n- name: pyk8s-demo" in merged
    assert "  cluster:\n- name: pyk8s-demo" in merged


def test_put_and_take_leave_a_file_written_by_hand_byte_for_byte() -> None:
    merged = put(BY_HAND, OURS)
    kept = iter(merged.splitlines())
    assert all(line in kept for line in BY_HAND.splitlines()), "a line is lost or moved"
    assert take(merged, "pyk8s-demo") == BY_HAND


def test_put_twice_is_put_once() -> None:
    merged = put(BY_HAND, OURS)
    assert put(merged, OURS) == merged


def test_put_replaces_in_place() -> None:
    newer = Entries("pyk8s-demo", {"server": "https://127.0.0.1:9"}, {"token": "t"}, "other")
    again = put(put(BY_HAND, OURS), newer)
    assert read(again)["clusters"][-1]["cluster"] == {"server": "https://127.0.0.1:9"}
    assert cluster_id(again, "pyk8s-demo") == "other"
    assert take(again, "pyk8s-demo") == BY_HAND


def test_windows_line_ends_of_others_stay() -> None:
    text = BY_HAND.replace("\n", "\r\n")
    assert take(put(text, OURS), "pyk8s-demo") == text


def test_an_empty_file_becomes_a_kubeconfig() -> None:
    merged = read(put("", OURS))
    assert merged["apiVersion"] == "v1"
    assert merged["kind"] == "Config"
    assert merged["users"][0]["user"]["client-key-data"] == "0123"
    assert "current-context" not in merged


def test_the_current_context_changes_only_when_asked_and_goes_only_when_it_was_ours() -> None:
    assert read(put(BY_HAND, OURS))["current-context"] == "prod"
    switched = put(BY_HAND, OURS, switch=True)
    assert read(switched)["current-context"] == "pyk8s-demo"
    assert read(take(switched, "pyk8s-demo"))["current-context"] == ""
    assert read(take(put(BY_HAND, OURS), "pyk8s-demo"))["current-context"] == "prod"


def test_a_json_kubeconfig_and_one_with_anchors_keep_their_entries() -> None:
    as_json = '{"apiVersion": "v1", "clusters": [{"name": "a", "cluster": {"server": "s"}}]}'
    assert [c["name"] for c in read(put(as_json, OURS))["clusters"]] == ["a", "pyk8s-demo"]
    anchored = (
        "clusters:\n- name: pyk8s-demo\n  cluster: &c {server: s}\n- name: b\n  cluster: *c\n"
    )
    assert read(take(anchored, "pyk8s-demo"))["clusters"] == [
        {"name": "b", "cluster": {"server": "s"}}
    ]


@pytest.mark.parametrize("text", ["- a\n", "clusters: {a: b}\n", "a: [\n", "clusters: [3]\n"])
def test_what_is_no_kubeconfig_is_refused(text: str) -> None:
    with pytest.raises(KubeconfigProblem):
        put(text, OURS)


def test_take_of_nothing_changes_nothing() -> None:
    assert take(BY_HAND, "pyk8s-demo") is BY_HAND
    assert cluster_id(BY_HAND, "prod") is None
