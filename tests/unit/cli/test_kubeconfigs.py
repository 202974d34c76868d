import httpx
import pytest

from pyk8s.client.kubeconfig_text import read
from tests.unit.cli.conftest import Cli
from tests.unit.client.scripted import CLUSTER_ID, cluster_document
from tests.unit.client.test_kubeconfig import SENT


@pytest.fixture
def lab(cli: Cli) -> Cli:
    def api(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/kubeconfig"):
            return httpx.Response(200, text=SENT)
        return httpx.Response(200, json=cluster_document(phase="ready"))

    cli.api = api
    return cli


def test_get_prints_it(lab: Cli) -> None:
    assert lab("kubeconfig", "get", "demo").out == SENT


def test_merge_and_remove_use_the_file_that_kubectl_uses(
    lab: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lab("kubeconfig", "merge", "demo")
    assert (run.code, run.out) == (0, "")
    assert "kubectl --context pyk8s-demo get nodes" in run.err
    default = lab.home / ".kube" / "config"
    assert not read(default.read_text()).get("current-context")

    monkeypatch.setenv("KUBECONFIG", str(lab.home / "other"))
    assert lab("kubeconfig", "merge", "demo", "--switch", "-q").out == "pyk8s-demo\n"
    assert read((lab.home / "other").read_text())["current-context"] == "pyk8s-demo"

    assert lab("kubeconfig", "remove", "demo").code == 0
    assert read((lab.home / "other").read_text())["contexts"] == []
    assert read(default.read_text())["contexts"], "not the file that was meant"
    again = lab("kubeconfig", "remove", "demo")
    assert again.code == 3
    assert "no context pyk8s-demo" in again.err


def test_delete_takes_the_context_along_but_only_of_that_cluster(lab: Cli) -> None:
    lab("kubeconfig", "merge", "demo")
    default = lab.home / ".kube" / "config"
    before = default.read_text()
    default.write_text(before.replace(CLUSTER_ID, "of-another-server"))
    assert "is taken out" not in lab("delete", "demo").err
    default.write_text(before)
    assert "is taken out" in lab("delete", "demo").err
    assert read(default.read_text())["contexts"] == []
