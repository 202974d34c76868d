"""logs, events."""

import json
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.session import Output, Session, to_yaml
from pyk8s.cli.words import coloured, plain

if TYPE_CHECKING:
    from pyk8s.client.frames import Followed
    from pyk8s.client.stream import StreamState

BUILT = frozenset({"ready", "failed", "deleting", "deleted"})
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as it happens.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""

    @command(app, "logs")
    async def _(session: Session, name: Name, follow: Follow = False) -> None:
        """Print the log of a cluster's build. With -f until the build has ended."""
        async with session.lab() as lab:
            cluster = await find(lab, name)
            if not follow:
                text = await cluster.log()
                if not text:
                    session.say("Nothing is logged yet.")
                for line in text.splitlines():
                    _print_line(session, line)
                return
            goal = cluster.snapshot.last_seq if cluster.phase in BUILT else None
            followed = cluster.follow(0, on_state=lambda state: _tell(session, state))
            async with aclosing(followed):
                async for item in followed:
                    if item.document["type"] == "log_line":
                        data = item.document["data"]
                        _print_line(session, str(data["text"]), end=not data.get("cont"))
                    if _is_built(item, goal):
                        return

    @command(app, "events")
    async def _(
        session: Session,
        name: Name,
        follow: Follow = False,
        after: Annotated[int, typer.Option(min=0, help="Only those after this number.")] = 0,
    ) -> None:
        """Print what happened to a cluster, in order. With -f until it is deleted."""
        async with session.lab() as lab:
            cluster = await find(lab, name)
            source = (
                cluster.follow(after, on_state=lambda state: _tell(session, state))
                if follow
                else cluster.stored_events(after)
            )
            printed: list[dict[str, Any]] = []
            async with aclosing(source):
                async for item in source:
                    if session.output is Output.JSON and not follow:
                        printed.append(item.document)
                    else:
                        _print_event(session, item)
            if session.output is Output.JSON and not follow:
                session.data(json.dumps(printed, indent=2, ensure_ascii=False))


def _is_built(item: "Followed", goal: int | None) -> bool:
    """Tell whether the build has ended: `goal` is the last event of one that had before."""
    if goal is not None:
        return item.seq >= goal
    if item.document["type"] != "phase_changed":
        return False
    return item.document["data"]["to"] in BUILT


def _tell(session: Session, state: "StreamState") -> None:
    from pyk8s.client.stream import Reconnecting

    if isinstance(state, Reconnecting):
        session.say(
            f"Reconnecting in {state.delay_seconds:.0f} s, attempt {state.attempt}. "
            "Nothing is lost: you will catch up.",
            style="yellow",
        )


def _print_line(session: Session, text: str, *, end: bool = True) -> None:
    has_colour = session.out.is_terminal and not session.out.no_color
    sys.stdout.write(coloured(text) if has_colour else plain(text))
    if end:
        sys.stdout.write("\n")
        sys.stdout.flush()


def _print_event(session: Session, item: "Followed") -> None:
    document = item.document
    match session.output:
        case Output.JSON | Output.JSONL:
            session.data(json.dumps(document, ensure_ascii=False))
        case Output.YAML:
            session.data("---\n" + to_yaml(document))
        case Output.NAME:
            session.data(str(document["type"]))
        case Output.TABLE:
            at = str(document.get("at", ""))[11:23]
            summary = plain(summarise(str(document["type"]), document.get("data") or {}))
            session.data(f"{item.seq:>6}  {at}  {document['type']:<18}  {summary}")


def summarise(kind: str, data: dict[str, Any]) -> str:
    """Say an event in a few words; what is not known is shown as it came."""
    match kind:
        case "created":
            cluster = data["cluster"]
            return f"{cluster['name']}, template {cluster['template']}, driver {cluster['driver']}"
        case "phase_changed":
            return f"{data['from']} -> {data['to']} ({data['reason']})"
        case "condition_changed":
            condition = data["condition"]
            return f"{condition['type']}={condition['status']} {condition['reason']}"
        case "queued":
            return f"{data['position']} of {data['size']}: {data['reason']}"
        case "step_started":
            return f"{data['step']} ({data['index']} of {data['total']})"
        case "step_finished":
            return f"{data['step']} {data['outcome']} in {data['duration_seconds']:.1f} s"
        case "log_line":
            return str(data["text"])
        case "failure_explained":
            return f"{data['title']}: {data['cause']}"
        case _:
            return ", ".join(f"{key} {value}" for key, value in data.items())
