"""What is inside a cluster, asked of the server."""

from typing import Any
from urllib.parse import quote

from pyk8s.client.http import Http, understand
from pyk8s.wire.resources import Resources
from pyk8s.wire.usage import Usage


async def resources(http: Http, cluster: str) -> Resources:
    """Tell nodes, workloads, pods, services and events. `cluster`: its path under the API.

    Raises:
        Conflict: the cluster is not ready, or simulated.
        OverCapacity: its API server does not answer.
    """
    return understand(Resources, await http.document("GET", f"{cluster}/resources"))


async def usage(http: Http, cluster: str) -> Usage:
    """Measure what the cluster takes of its host. `cluster`: its path under the API.

    Raises:
        Conflict: the cluster is not up.
        OverCapacity: it cannot be measured now.
    """
    return understand(Usage, await http.document("GET", f"{cluster}/usage"))


async def pod_log(
    http: Http,
    cluster: str,
    namespace: str,
    pod: str,
    *,
    container: str | None,
    tail_lines: int,
    previous: bool,
) -> str:
    """Give the last lines of a container's log. `cluster`: its path under the API.

    Raises:
        NotFound: there is no such pod.
        Conflict: the container has no such log now, or which one is not said.
    """
    path = f"{cluster}/pods/{quote(namespace, safe='')}/{quote(pod, safe='')}/log"
    params: dict[str, Any] = {"tail_lines": tail_lines, "previous": previous}
    params |= {"container": container} if container is not None else {}
    return (await http.send("GET", path, params=params)).text
