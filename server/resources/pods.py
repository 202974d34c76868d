"""The row of a pod. Its status is kubectl's: `printPod` in kubernetes/pkg/printers/internalversion.

That function is followed step by step, because people compare what they see here with kubectl.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pyk8s.wire.resources import ContainerRow, Health, PodRow
from server.drivers.kube_objects import (
    LISTED,
    TEXT_CHARS,
    Object,
    condition,
    instant,
    number,
    part,
    parts,
    text,
)

_BUSY: Final = frozenset(
    {
        "Pending",
        "ContainerCreating",
        "PodInitializing",
        "SchedulingGated",
        "Terminating",
        "NotReady",
    }
)
_DONE: Final = frozenset({"Completed", "Succeeded"})


@dataclass(slots=True)
class _Tally:
    """What is counted over the containers."""

    status: str
    ready: int = 0
    restarts: int = 0
    restarted_at: datetime | None = None

    def count(self, container: Object) -> None:
        self.restarts += number(container, "restartCount")
        at = instant(part(container, "lastState", "terminated"), "finishedAt")
        if at is not None and (self.restarted_at is None or at > self.restarted_at):
            self.restarted_at = at


def pod_row(given: Object) -> PodRow:
    """Give the row of a pod."""
    metadata, spec, status = (part(given, name) for name in ("metadata", "spec", "status"))
    tally = _tally(given)
    containers = parts(spec, "containers")
    sidecars = sum(_is_sidecar(each) for each in parts(spec, "initContainers"))
    total = len(containers) + sidecars
    # It is no error to Kubernetes, and waits for ever all the same.
    unfit = tally.status == "Pending" and any(
        text(each, "reason") == "Unschedulable" for each in parts(status, "conditions")
    )
    return PodRow(
        uid=text(metadata, "uid"),
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        created_at=instant(metadata, "creationTimestamp"),
        status=tally.status,
        health="bad" if unfit else _health(tally.status, is_whole=tally.ready >= total),
        ready=tally.ready,
        total=total,
        restarts=tally.restarts,
        restarted_at=tally.restarted_at,
        node=text(spec, "nodeName") or None,
        ip=text(status, "podIP") or None,
        owner=_owner(metadata),
        message=_message(given),
        containers=[*_containers(given, "init"), *_containers(given, "")],
    )


def _tally(given: Object) -> _Tally:
    status = part(given, "status")
    tally = _Tally(text(status, "reason") or text(status, "phase") or "Unknown")
    if any(
        text(each, "type") == "PodScheduled" and text(each, "reason") == "SchedulingGated"
        for each in parts(status, "conditions")
    ):
        tally.status = "SchedulingGated"
    sidecars = _Tally("")
    initializing = _initialize(given, tally, sidecars)
    if not initializing or condition(given, "Initialized") == "True":
        tally.restarts, tally.restarted_at = sidecars.restarts, sidecars.restarted_at
        _run(given, tally)
    if part(given, "metadata").get("deletionTimestamp"):
        if text(status, "reason") == "NodeLost":
            tally.status = "Unknown"
        elif text(status, "phase") not in {"Succeeded", "Failed"}:
            tally.status = "Terminating"
    return tally


def _initialize(given: Object, tally: _Tally, sidecars: _Tally) -> bool:
    """Look at what runs before the others; tell whether that still goes on."""
    wanted = parts(part(given, "spec"), "initContainers")
    known = {text(each, "name"): each for each in wanted}
    for index, container in enumerate(parts(part(given, "status"), "initContainerStatuses")):
        tally.count(container)
        is_sidecar = _is_sidecar(known.get(text(container, "name"), {}))
        if is_sidecar:
            sidecars.count(container)
        ended = part(container, "state", "terminated")
        if ended and number(ended, "exitCode") == 0:
            continue
        if is_sidecar and container.get("started") is True:
            tally.ready += container.get("ready") is True
            continue
        waits_for = text(part(container, "state", "waiting"), "reason")
        if ended:
            tally.status = f"Init:{_end(ended)}"
        elif waits_for and waits_for != "PodInitializing":
            tally.status = f"Init:{waits_for}"
        else:
            tally.status = f"Init:{index}/{len(wanted)}"
        return True
    return False


def _run(given: Object, tally: _Tally) -> None:
    """Look at the containers proper, the last one first, as kubectl does."""
    is_running = False
    for container in reversed(parts(part(given, "status"), "containerStatuses")):
        tally.count(container)
        ended = part(container, "state", "terminated")
        waits_for = text(part(container, "state", "waiting"), "reason")
        if waits_for:
            tally.status = waits_for
        elif ended:
            tally.status = _end(ended)
        elif container.get("ready") is True and "running" in part(container, "state"):
            is_running = True
            tally.ready += 1
    if tally.status == "Completed" and is_running:
        tally.status = "Running" if condition(given, "Ready") == "True" else "NotReady"


def _is_sidecar(spec: Object) -> bool:
    return text(spec, "restartPolicy") == "Always"


def _end(ended: Object) -> str:
    """Say why a container has ended."""
    if text(ended, "reason"):
        return text(ended, "reason")
    if number(ended, "signal"):
        return f"Signal:{number(ended, 'signal')}"
    return f"ExitCode:{number(ended, 'exitCode')}"


def _health(status: str, *, is_whole: bool) -> Health:
    if status in _DONE:
        return "done"
    if status == "Running":
        return "ok" if is_whole else "busy"
    goes_on = status.removeprefix("Init:").partition("/")[0].isdecimal()
    if status in _BUSY or goes_on or status.removeprefix("Init:") in _BUSY:
        return "busy"
    return "bad"


def _owner(metadata: Object) -> str | None:
    owners: Sequence[Object] = parts(metadata, "ownerReferences")
    by = next((each for each in owners if each.get("controller") is True), None)
    return f"{text(by, 'kind')}/{text(by, 'name')}" if by is not None else None


def _message(given: Object) -> str | None:
    """Find the words that say most about a pod that is not well."""
    status = part(given, "status")
    for name in ("containerStatuses", "initContainerStatuses"):
        for container in parts(status, name):
            for state in ("waiting", "terminated"):
                said = text(part(container, "state", state), "message", TEXT_CHARS)
                if said:
                    return said
    for each in parts(status, "conditions"):
        if text(each, "type") == "PodScheduled" and text(each, "status") == "False":
            return text(each, "message", TEXT_CHARS) or None
    return text(status, "message", TEXT_CHARS) or None


def _containers(given: Object, which: str) -> list[ContainerRow]:
    wanted = parts(part(given, "spec"), "initContainers" if which else "containers")
    listed = parts(part(given, "status"), "initContainerStatuses" if which else "containerStatuses")
    known = {text(each, "name"): each for each in listed}
    rows = []
    for spec in wanted[:LISTED]:
        name = text(spec, "name")
        state, health = _state(known.get(name, {}), is_init=bool(which))
        rows.append(
            ContainerRow(
                name=name,
                image=text(spec, "image"),
                state=state,
                health=health,
                ready=known.get(name, {}).get("ready") is True,
                restarts=number(known.get(name, {}), "restartCount"),
                is_init=bool(which),
            )
        )
    return rows


def _state(container: Object, *, is_init: bool) -> tuple[str, Health]:
    state = part(container, "state")
    if "running" in state:
        return "Running", "ok" if container.get("ready") is True or is_init else "busy"
    if "terminated" in state:
        ended = part(state, "terminated")
        return _end(ended), "done" if number(ended, "exitCode") == 0 else "bad"
    reason = text(part(state, "waiting"), "reason") or "Waiting"
    return reason, "busy" if reason in _BUSY or reason == "Waiting" else "bad"
