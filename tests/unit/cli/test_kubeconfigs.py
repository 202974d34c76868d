import json
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyk8s.client.kubeconfig_text import read
from tests.unit.cli.conftest import Cli, problem
from tests.unit.client.scripted import CLUSTER_ID, cluster_document
from tests.unit.client.test_kubeconfig import SENT

DIRECT = SENT
PROXY = SENT.replace("client-certificate-data: QQ==, client-key-data: Qg==", "token: t")


@pytest.fixture
def lab(cli: Cli) -> Cli:
    def api(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/kubeconfig"):
            is_direct = request.url.params.get("endpoint") == "direct"
            account = request.url.params.get("service_account")
            text = DIRECT if is_direct else PROXY
            return httpx.Response(200, text=text.replace("token: t", f"token: {account}"))
        return httpx.Response(200, json=cluster_document(phase="ready"))

    cli.api = api
    return cli


def test_get_prints_it(lab: Cli) -> None:
    assert lab("kubeconfig", "get", "demo", "--endpoint", "direct").out == SENT


@pytest.mark.parametrize(
    "entry",
    ["exec: {command: sh}", "tokenFile: /etc/hosts", "client-key: /etc/hosts", "a: &b c"],
)
def test_get_prints_nothing_that_kubectl_would_run_or_send(lab: Cli, entry: str) -> None:
    sent = SENT.replace("client-key-data: Qg==", entry)
    assert sent != SENT
    lab.api = lambda request: (
        httpx.Response(200, text=sent)
        if request.url.path.endswith("/kubeconfig")
        else httpx.Response(200, json=cluster_document(phase="ready"))
    )
    run = lab("kubeconfig", "get", "demo")
    assert (run.code, run.out) == (1, "")
    assert "--raw" in run.err
    assert lab("kubeconfig", "get", "demo", "--raw").out == sent


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


def contexts(lab: Cli) -> list[str]:
    found = read((lab.home / ".kube" / "config").read_text())["contexts"]
    return [each["name"] for each in found]


def test_no_way_into_a_cluster_hides_another(lab: Cli) -> None:
    for more in ((), ("--endpoint", "direct"), ("--service-account", "robot")):
        assert lab("kubeconfig", "merge", "demo", *more).code == 0
    config = read((lab.home / ".kube" / "config").read_text())
    assert contexts(lab) == ["pyk8s-demo", "pyk8s-demo.direct", "pyk8s-demo.sa.default.robot"]
    users = {each["name"]: each["user"] for each in config["users"]}
    assert users["pyk8s-demo.direct"] == {
        "client-certificate-data": "QQ==",
        "client-key-data": "Qg==",
    }
    assert users["pyk8s-demo.sa.default.robot"] == {"token": "default/robot"}
    for each in config["contexts"]:
        assert (each["context"]["cluster"], each["context"]["user"]) == (each["name"], each["name"])
    assert lab("kubeconfig", "remove", "pyk8s-demo.direct").code == 0
    assert contexts(lab) == ["pyk8s-demo", "pyk8s-demo.sa.default.robot"]
    assert lab("kubeconfig", "remove", "demo").code == 0
    assert contexts(lab) == []


def test_delete_takes_every_way_in_along(lab: Cli) -> None:
    for more in ((), ("--endpoint", "direct")):
        lab("kubeconfig", "merge", "demo", *more)
    lab("delete", "demo")
    assert contexts(lab) == []


def test_a_cluster_whose_name_begins_alike_stays(lab: Cli) -> None:
    lab("kubeconfig", "merge", "demo")
    file = lab.home / ".kube" / "config"
    file.write_text(file.read_text().replace("pyk8s-demo", "pyk8s-demo-direct"))
    assert lab("kubeconfig", "remove", "demo").code == 3
    assert contexts(lab) == ["pyk8s-demo-direct"]


@pytest.mark.parametrize(
    "more", [("--endpoint", "direct"), ("--exec",), ("--endpoint", "direct", "--exec")]
)
def test_a_service_account_is_for_a_file_of_the_proxy(lab: Cli, more: Sequence[str]) -> None:
    run = lab("kubeconfig", "get", "demo", "--service-account", "a/b", *more)
    assert (run.code, run.out) == (2, "")
    assert lab("kubeconfig", "get", "demo", "--service-account", "A b").code == 2


def test_delete_takes_the_context_along_but_only_of_that_cluster(lab: Cli) -> None:
    lab("kubeconfig", "merge", "demo")
    default = lab.home / ".kube" / "config"
    before = default.read_text()
    default.write_text(before.replace(CLUSTER_ID, "of-another-server"))
    assert "is taken out" not in lab("delete", "demo").err
    default.write_text(before)
    assert "is taken out" in lab("delete", "demo").err
    assert read(default.read_text())["contexts"] == []


class Access:
    """A server with one cluster and its credentials."""

    def __init__(self) -> None:
        self.living: dict[str, dict[str, Any]] = {}
        self.asked: list[Any] = []
        self.is_away = False
        self.life = timedelta(hours=1)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.partition("/api/v1")[2]
        if "/credentials" not in path:
            if path == "/auth/logout":
                self.living.clear()
                return httpx.Response(204)
            return httpx.Response(200, json=cluster_document(phase="ready"))
        if self.is_away:
            raise httpx.ConnectError("no")
        if request.method == "POST":
            return self._issue(json.loads(request.content))
        if request.method == "DELETE":
            gone = self.living.pop(path.rpartition("/")[2], None)
            return httpx.Response(204) if gone else problem(404, "not_found")
        return httpx.Response(200, json={"items": [*self.living.values()]})

    def _issue(self, asked: dict[str, Any]) -> httpx.Response:
        self.asked.append(asked)
        now = datetime.now(UTC)
        number = len(self.asked)
        credential = {
            "id": f"01900000-0000-7000-8000-0000000001{number:02}",
            "endpoint": "proxy",
            "name": asked["name"],
            "created_at": now.isoformat(),
            "expires_at": (now + self.life).isoformat(),
            "last_used_at": None,
        }
        self.living[str(credential["id"])] = credential
        address = {
            "token": f"secret-{number}",
            "server": f"https://lab:8443/clusters/{CLUSTER_ID}",
            "certificate_authority": "PEM",
            "tls_server_name": "localhost",
        }
        return httpx.Response(201, json={**credential, **address})


@pytest.fixture
def access(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Access:
    monkeypatch.setenv("XDG_STATE_HOME", str(cli.home / "state"))
    monkeypatch.setenv("PYK8S_TOKEN", "pyk8s_of-ann")
    access = Access()
    cli.api = access
    return access


def token(cli: Cli, *more: str) -> str:
    run = cli("kubeconfig", "token", CLUSTER_ID, *more)
    assert run.code == 0, run.err
    document = json.loads(run.out)
    assert document["kind"] == "ExecCredential"
    assert document["apiVersion"] == "client.authentication.k8s.io/v1"
    ends = datetime.fromisoformat(document["status"]["expirationTimestamp"])
    assert ends > datetime.now(UTC), "kubectl would ask again at once"
    return str(document["status"]["token"])


def kept(cli: Cli) -> Sequence[Path]:
    return sorted((cli.home / "state" / "pyk8s" / "credentials").glob("*.json"))


def test_exec_puts_a_program_into_the_file_and_no_secret(cli: Cli, access: Access) -> None:
    run = cli("kubeconfig", "merge", "demo", "--exec", "--expires", "2h")
    assert run.code == 0, run.err
    text = (cli.home / ".kube" / "config").read_text()
    assert "secret-1" not in text
    document = read(text)
    assert document["clusters"][0]["cluster"] == {
        "server": f"https://lab:8443/clusters/{CLUSTER_ID}",
        "certificate-authority-data": "UEVN",
        "tls-server-name": "localhost",
    }
    ran = document["users"][0]["user"]["exec"]
    assert Path(ran["command"]).is_absolute()
    assert ran["interactiveMode"] == "Never"
    end = ["--url", cli.url, "kubeconfig", "token", CLUSTER_ID, "--expires", "7200s"]
    assert ran["args"][-len(end) :] == end
    assert access.asked[0]["expires_in_seconds"] == 7200
    assert token(cli, *end[5:]) == "secret-1", "the first one is not made twice"
    printed = read(cli("kubeconfig", "get", "demo", "--exec").out)
    assert printed["users"][0]["user"]["exec"]["command"] == ran["command"]
    assert printed["current-context"] == "pyk8s-demo"


def test_a_token_is_kept_privately_until_shortly_before_its_end(cli: Cli, access: Access) -> None:
    assert [token(cli), token(cli)] == ["secret-1", "secret-1"]
    (file,) = kept(cli)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    ends = datetime.now(UTC) + timedelta(seconds=50)
    file.write_text(json.dumps({**json.loads(file.read_text()), "expires_at": ends.isoformat()}))
    assert token(cli) == "secret-2"
    file.write_text("{ half")
    assert token(cli) == "secret-3"


def test_a_token_that_was_revoked_is_not_given_again(cli: Cli, access: Access) -> None:
    assert token(cli) == "secret-1"
    assert cli("kubeconfig", "revoke", "demo", "--all").code == 0
    assert token(cli) == "secret-2"
    access.is_away = True
    assert token(cli) == "secret-2", "the proxy may answer where the server does not"


def test_another_login_gets_no_token_of_the_first(
    cli: Cli, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert token(cli) == "secret-1"
    monkeypatch.setenv("PYK8S_TOKEN", "pyk8s_of-bob")
    assert token(cli) == "secret-2"


@pytest.mark.parametrize("everywhere", [True, False])
def test_who_signs_out_leaves_no_token_behind(cli: Cli, access: Access, everywhere: bool) -> None:
    token(cli)
    assert cli("logout", *(["--everywhere"] if everywhere else [])).code == 0
    assert kept(cli) == []
    assert access.living == {}


def test_credentials_are_listed_and_ended_one_by_one(cli: Cli, access: Access) -> None:
    assert "no credential" in cli("kubeconfig", "revoke", "demo", "--all").err
    token(cli)
    cli("kubeconfig", "get", "demo", "--exec")
    first, second = access.living
    access.living[second]["last_used_at"] = datetime.now(UTC).isoformat()
    lines = cli("kubeconfig", "list", "demo").out.splitlines()
    assert lines[0].split() == ["ID", "ENDPOINT", "MADE", "FOR", "CREATED", "EXPIRES", "USED"]
    assert [line.split()[0] for line in lines[1:]] == [first, second]
    assert lines[1].endswith("never")
    assert lines[2].endswith("s ago")
    assert cli("kubeconfig", "revoke", "demo", first).code == 0
    assert cli("kubeconfig", "list", "demo", "-q").out == f"{second}\n"
    assert cli("kubeconfig", "revoke", "demo", first).code == 3
    assert cli("kubeconfig", "revoke", "demo").code == 2
    assert cli("kubeconfig", "revoke", "demo", second, "--all").code == 2


def test_the_way_in_and_its_time_are_asked_for(lab: Cli) -> None:
    lab("kubeconfig", "get", "demo", "--endpoint", "direct", "--expires", "8h")
    asked = dict(lab.requests[-1].url.params)
    assert asked == {"endpoint": "direct", "expires_in_seconds": "28800"}
    lab("kubeconfig", "get", "demo")
    assert dict(lab.requests[-1].url.params) == {}
    assert lab("kubeconfig", "merge", "demo", "--exec", "--endpoint", "direct").code == 2
    lab("kubeconfig", "merge", "demo")
    assert "revoke demo ID" in lab("kubeconfig", "remove", "demo").err
