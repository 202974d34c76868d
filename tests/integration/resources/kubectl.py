"""Real kubectl, through the kubeconfigs that people get."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
from ruamel.yaml import YAML

from tests.integration.conftest import Caller
from tests.ports import free_port

BIG = 8 * 1024 * 1024
ENDED_SECONDS = 30.0


class Kubectl:
    """Runs kubectl with one kubeconfig."""

    def __init__(self, file: Path) -> None:
        self.command = ["kubectl", "--kubeconfig", str(file)]

    async def run(self, *arguments: str, typed: bytes | None = None) -> str:
        """Run it to a good end; give what it printed."""
        with anyio.fail_after(60):
            done = await anyio.run_process([*self.command, *arguments], input=typed)
        return done.stdout.decode()

    async def fails(self, *arguments: str) -> str:
        """Run it to a bad end; give its complaint."""
        with anyio.fail_after(60):
            done = await anyio.run_process([*self.command, *arguments], check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr.decode()

    async def ends(self, *arguments: str) -> str:
        """Run it to any end; give its complaint, if it has one."""
        with anyio.fail_after(60):
            done = await anyio.run_process([*self.command, *arguments], check=False)
        return done.stderr.decode()

    @asynccontextmanager
    async def left_running(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start it, and see its first line."""
        process = await asyncio.create_subprocess_exec(
            *self.command,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            assert await asyncio.wait_for(process.stdout.readline(), 60)
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def issued(ann: Caller, path: str, endpoint: str, folder: Path) -> tuple[Kubectl, str]:
    """Take a kubeconfig; give kubectl with it, and the id of its credential."""
    answer = await ann.http.get(f"{path}/kubeconfig?endpoint={endpoint}", timeout=60)
    assert answer.status_code == 200, answer.text
    file = folder / f"{endpoint}.yaml"
    await anyio.Path(file).write_text(answer.text)
    listed = (await ann.http.get(f"{path}/credentials")).json()["items"]
    assert listed[0]["endpoint"] == endpoint
    return Kubectl(file), str(listed[0]["id"])


async def all_of_it(ann: Caller, path: str, pod: str, folder: Path) -> None:
    """Do with kubectl what people do, through the proxy and direct; then take the ways away."""
    proxied, credential = await issued(ann, path, "proxy", folder)
    assert "ann" in await proxied.run("auth", "whoami")
    assert "yes" in await proxied.run("auth", "can-i", "*", "*")
    await impersonates(ann, path, proxied, folder)
    await is_a_service_account(ann, path, proxied, folder)
    await serves_without_flags(proxied)
    inside = ("exec", "-i", pod, "-c", "main", "--")
    assert await proxied.run(*inside, "cat", typed=b"typed") == "typed"
    await copies(proxied, pod, folder)
    await proxied.run(*inside, "sh", "-c", "echo hello > /tmp/index.html; httpd -p 8080 -h /tmp")
    await forwards(proxied, pod)
    await publishes(ann, path, pod)
    await ends(ann, f"{path}/credentials/{credential}", proxied, pod)
    direct, credential = await issued(ann, path, "direct", folder)
    assert f"ann:{credential[-12:]}" in await direct.run("auth", "whoami")
    await direct.run("get", "nodes")
    bound = ("create", "clusterrolebinding", "keep", "--clusterrole", "cluster-admin")
    await direct.run(*bound, "--user", "ann")  # which is not what the certificate is for
    assert (await ann.http.delete(f"{path}/credentials/{credential}")).status_code == 204
    assert "Forbidden" in await direct.fails("get", "nodes")


async def impersonates(ann: Caller, path: str, proxied: Kubectl, folder: Path) -> None:
    """The cluster decides whom ann may be, as it does without a proxy."""
    robot = "system:serviceaccount:default:default"
    asked = ("--as", robot, "--as-group", "a", "--as-uid", "7", "--as-user-extra", "x/y=z")
    told = json.loads(await proxied.run("auth", "whoami", *asked, "-o", "json"))
    assert told["status"]["userInfo"] == {
        "username": robot,
        "uid": "7",
        "groups": ["a", "system:authenticated"],
        "extra": {"x/y": ["z"]},
    }
    assert f'User "{robot}" cannot delete' in await proxied.fails(
        "delete", "ns", "a", "--as", robot
    )
    await refuses_to_impersonate(proxied, await issued(ann, path, "direct", folder))


async def refuses_to_impersonate(proxied: Kubectl, other: tuple[Kubectl, str]) -> None:
    """Who may not impersonate is told so in the words of Kubernetes."""
    direct, _ = other
    people = json.loads(await direct.run("get", "clusterrolebinding", "pyk8s:users", "-o", "json"))
    for grown in ("creationTimestamp", "resourceVersion", "uid"):
        people["metadata"].pop(grown)
    await direct.run("delete", "clusterrolebinding", "pyk8s:users")
    async with asyncio.timeout(30):  # an API server sees a change of its rules a moment later
        while 'User "ann" cannot impersonate' not in (
            await proxied.ends("get", "pods", "--as", "bob")
        ):
            await asyncio.sleep(0.2)
    await direct.run("create", "-f", "-", typed=json.dumps(people).encode())
    async with asyncio.timeout(30):
        while 'User "bob" cannot list' not in await proxied.ends("get", "pods", "--as", "bob"):
            await asyncio.sleep(0.2)


async def is_a_service_account(ann: Caller, path: str, proxied: Kubectl, folder: Path) -> None:
    """A token of the cluster, joined to the credential, decides who one is inside."""
    text = await anyio.Path(folder / "proxy.yaml").read_text()
    credential = str(YAML(typ="safe", pure=True).load(text)["users"][0]["user"]["token"])
    token = (await proxied.run("create", "token", "default", "--duration", "10m")).strip()
    joined = ("--token", f"{credential}.{token}")
    robot = "system:serviceaccount:default:default"
    assert robot in await proxied.run("auth", "whoami", *joined)
    assert f'User "{robot}" cannot list' in await proxied.fails("get", "pods", *joined)
    said = await proxied.fails("get", "pods", *joined, "--as", "ann")
    assert f'User "{robot}" cannot impersonate' in said
    file = folder / "alone.yaml"
    await anyio.Path(file).write_text(text.replace(credential, token))
    assert f"the token of {robot}" in await Kubectl(file).fails("get", "pods")
    query: dict[str, str | int] = {"service_account": "default/default", "expires_in_seconds": 600}
    answer = await ann.http.get(f"{path}/kubeconfig", params=query, timeout=60)
    assert answer.status_code == 200, answer.text
    await anyio.Path(file).write_text(answer.text)
    assert robot in await Kubectl(file).run("auth", "whoami")
    credential = (await ann.http.get(f"{path}/credentials")).json()["items"][0]
    assert credential["name"] == "service account default/default"
    revoked = await ann.http.delete(f"{path}/credentials/{credential['id']}")
    assert revoked.status_code == 204
    assert "revoked" in await Kubectl(file).fails("auth", "whoami")


async def serves_without_flags(proxied: Kubectl) -> None:
    """`kubectl proxy` leaves out the path of its kubeconfig's server."""
    port = free_port()
    async with (
        proxied.left_running("proxy", "--port", str(port)),
        httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answer = await client.get("/api/v1/namespaces/kube-system", timeout=30)
        assert answer.json()["metadata"]["name"] == "kube-system"


async def copies(proxied: Kubectl, pod: str, folder: Path) -> None:
    """A file there and back is the same file, to its last byte."""
    sent, back = anyio.Path(folder / "sent"), anyio.Path(folder / "back")
    await sent.write_bytes(os.urandom(BIG))
    await proxied.run("cp", str(sent), f"{pod}:/tmp/file", "-c", "main")
    await proxied.run("cp", f"{pod}:/tmp/file", str(back), "-c", "main")
    assert await back.read_bytes() == await sent.read_bytes()


async def forwards(proxied: Kubectl, pod: str) -> None:
    """A port inside is reached from here, again and again."""
    port = free_port()
    async with (
        proxied.left_running("port-forward", pod, f"{port}:8080"),
        httpx.AsyncClient(trust_env=False) as client,
    ):
        for _ in range(3):
            answer = await client.get(f"http://127.0.0.1:{port}/index.html", timeout=30)
            assert answer.text == "hello\n"


async def publishes(ann: Caller, path: str, pod: str) -> None:
    """A pod's port opens with a link, under a host name of its own."""
    wanted = {"kind": "pod", "target": pod, "port": 8080, "name": "hello"}
    app: dict[str, Any] = (await ann.http.post(f"{path}/apps", json=wanted)).json()
    link = (await ann.http.post(f"{path}/apps/{app['id']}/links", json={})).json()["url"]
    name = httpx.URL(app["url"])
    here = name.copy_with(host="127.0.0.1")  # not every machine's resolver knows *.localhost
    async with httpx.AsyncClient(
        trust_env=False, base_url=here, headers={"Host": name.netloc.decode()}, timeout=30
    ) as browser:
        assert (await browser.get("/index.html")).status_code == 401
        let_in = await browser.get("/index.html", params=httpx.URL(link).params)
        cookie = let_in.headers["set-cookie"].partition(";")[0]
        shown = await browser.get(let_in.headers["location"], headers={"Cookie": cookie})
        assert (let_in.status_code, shown.text) == (303, "hello\n")


async def ends(ann: Caller, credential: str, proxied: Kubectl, pod: str) -> None:
    """What is open ends with its credential, and nothing is opened any more."""
    looping = ("exec", "-i", pod, "-c", "main", "--", "sh", "-c", "echo begun; cat")
    async with (
        proxied.left_running("get", "pods", "-w") as watch,
        proxied.left_running(*looping) as execution,
    ):
        assert (await ann.http.delete(credential)).status_code == 204
        for process in (watch, execution):
            await asyncio.wait_for(process.wait(), ENDED_SECONDS)
    assert "revoked" in await proxied.fails("get", "pods")
