import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyk8s import KubeconfigProblem
from pyk8s.client import kubeconfig
from pyk8s.client.kubeconfig import candidates, merge, read_entries, remove, target
from pyk8s.client.kubeconfig_text import Entries, read

SENT = """\
apiVersion: v1
kind: Config
clusters: [{name: pyk8s-demo, cluster: {server: "https://a:4", certificate-authority-data: TFM=}}]
contexts: [{name: pyk8s-demo, context: {cluster: pyk8s-demo, user: pyk8s-demo}}]
users: [{name: pyk8s-demo, user: {client-certificate-data: QQ==, client-key-data: Qg==}}]
current-context: pyk8s-demo
"""


def entries(name: str = "demo") -> Entries:
    return read_entries(SENT, context=f"pyk8s-{name}", cluster_id=f"id-{name}")


def test_a_new_file_is_private_in_a_private_folder(tmp_path: Path) -> None:
    path = tmp_path / "home" / ".kube" / "config"
    merged = merge(path, entries())
    assert (merged.context, merged.is_exposed) == ("pyk8s-demo", False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["config"], "no lock, no temporary file"
    assert read(path.read_text())["contexts"][0]["context"]["user"] == "pyk8s-demo"


def test_an_existing_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("clusters: []\n")
    real.chmod(0o640)
    link = tmp_path / "config"
    link.symlink_to(real)
    assert merge(link, entries()).is_exposed
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert "pyk8s-demo" in real.read_text()


def test_a_removal_takes_the_three_entries_and_only_of_the_cluster_meant(tmp_path: Path) -> None:
    path = tmp_path / "config"
    merge(path, entries("other"))
    before = path.read_text()
    merge(path, entries())
    assert not remove(path, "pyk8s-demo", cluster_id="id-of-another-lab")
    assert remove(path, "pyk8s-demo", cluster_id="id-demo")
    assert not remove(path, "pyk8s-demo")
    assert path.read_text() == before
    assert not remove(tmp_path / "none", "pyk8s-demo")


def test_many_merges_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config"
    names = [f"c{n}" for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: merge(path, entries(name)), names))
    contexts = {entry["name"] for entry in read(path.read_text())["contexts"]}
    assert contexts == {f"pyk8s-{name}" for name in names}


def test_a_lock_that_stays_is_named_and_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeconfig, "LOCK_SECONDS", 0.05)
    path = tmp_path / "config"
    lock = tmp_path / "config.lock"
    lock.touch()
    with pytest.raises(KubeconfigProblem) as caught:
        merge(path, entries())
    assert str(lock) in (caught.value.fix or "")
    assert lock.exists()
    assert not path.exists()


def test_a_broken_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("clusters: {\n")
    with pytest.raises(KubeconfigProblem, match=str(path)):
        merge(path, entries())
    assert path.read_text() == "clusters: {\n"
    assert [p.name for p in tmp_path.iterdir()] == ["config"]


def test_the_file_is_the_first_of_kubeconfig_that_can_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    good = tmp_path / "new" / "config"
    environ = {"KUBECONFIG": os.pathsep.join(["", str(folder), str(good)])}
    assert candidates(environ, tmp_path) == [folder, good]
    assert target([folder, good]) == good
    assert candidates({}, tmp_path) == [tmp_path / ".kube" / "config"]
    with pytest.raises(KubeconfigProblem):
        target([folder])


@pytest.mark.parametrize(
    "bad",
    [
        SENT.replace("client-key-data: Qg==", "exec: {command: sh}"),
        SENT.replace("client-key-data: Qg==", "client-key: /etc/passwd"),
        SENT.replace("certificate-authority-data: TFM=", "proxy-url: http://x"),
        SENT.replace("users: [", "users: [{name: b, user: {token: a}}, "),
        "kind: Config\n",
    ],
)
def test_a_server_cannot_bring_commands_or_paths_into_a_kubeconfig(bad: str) -> None:
    with pytest.raises(KubeconfigProblem):
        read_entries(bad, context="pyk8s-demo")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"https://a:4"', "[x]", r"look at clusters \(server\)"),
        ('"https://a:4"', "{x: y}", r"look at clusters \(server\)"),
        ('"https://a:4"', "5", r"look at clusters \(server\)"),
        ("QQ==", "null", r"look at users \(client-certificate-data\)"),
        ("server:", "5:", r"look at clusters \(5\)"),
        ('"https://a:4"', '&a "https://a:4"', "an anchor or an alias"),
        ("kind: Config", "kind: Config\na: &a [x]\nb: [*a, *a]", "an anchor or an alias"),
        ("kind: Config", "kind: Config\nx: " + "[" * 20_000, "nested too deeply"),
        ("kind: Config", "kind: Config\nx: " + "y" * 300_000, "more than 262144 characters"),
    ],
    ids=lambda value: value[:40],
)
def test_a_server_cannot_bring_other_values_than_texts(old: str, new: str, told: str) -> None:
    assert old in SENT
    with pytest.raises(KubeconfigProblem, match=told):
        read_entries(SENT.replace(old, new, 1), context="pyk8s-demo")
