"""Checks `kubernetes_asyncio`. Usage: asynchronous.py KUBECONFIG NAMESPACE SHARED."""

import sys
from pathlib import Path

from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.stream import WsApiClient

sys.path.insert(0, str(Path(__file__).parent))
from reporting import check, expect

kubeconfig, namespace, shared = sys.argv[1:]


@check("list, create, patch, delete")
async def _objects() -> None:
    await config.load_kube_config(kubeconfig)
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        made = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a"), data={"value": "x"})
        await core.create_namespaced_config_map(namespace, made)
        patch = [{"op": "replace", "path": "/data/value", "value": "y"}]
        patched = await core.patch_namespaced_config_map("a", namespace, patch)
        expect(patched.data["value"], "y")
        await core.delete_namespaced_config_map("a", namespace)


@check("watch")
async def _watch() -> None:
    await config.load_kube_config(kubeconfig)
    async with client.ApiClient() as api, watch.Watch() as watched:
        core = client.CoreV1Api(api)
        async for event in watched.stream(core.list_namespaced_pod, shared, timeout_seconds=30):
            expect(event["object"].metadata.name, "web")
            break


@check("log, followed")
async def _log() -> None:
    await config.load_kube_config(kubeconfig)
    async with client.ApiClient() as api:
        answer = await client.CoreV1Api(api).read_namespaced_pod_log(
            "web", shared, follow=True, tail_lines=1, _preload_content=False
        )
        lines = [(await answer.content.readline()).startswith(b"line") for _ in range(3)]
        answer.close()
        expect(lines, [True] * 3)


@check("exec over WebSocket")
async def _exec() -> None:
    await config.load_kube_config(kubeconfig)
    async with WsApiClient() as api:
        said = await client.CoreV1Api(api).connect_get_namespaced_pod_exec(
            "web", shared, command=["echo", "said"],
            stdout=True, stderr=True, stdin=False, tty=False,
        )  # fmt: skip
        expect(said, "said\n")
