"""Writes the generated parts of docs/reference: settings, routes, errors, events, figures...

A part stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->`; the words around it are
written by hand. `scripts/generate.sh` runs this.
"""

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pyk8s.wire import facts, frames, terminals
from pyk8s.wire.base import Answer, Ask
from server.api import asyncapi
from server.api.metrics import GAUGES
from server.api.protocol import CLOSINGS, TERMINAL_CLOSINGS, Closing
from server.api.routes import ENDPOINTS, EVERYWHERE
from server.config import REPOSITORY, Settings
from server.errors import LabError
from server.lifecycle import TRANSITIONS

REFERENCE = REPOSITORY / "docs" / "reference"
CLIENTS = REPOSITORY / "tests" / "clients" / "record.json"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def summary(thing: object) -> str:
    """Give the docstring as one line."""
    return " ".join((inspect.getdoc(thing) or "").split())


def settings() -> str:
    """List every setting."""
    rows = [
        [f"`PYK8S_{name.upper()}`", default_of(name, field), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return table(["Variable", "Default", "Meaning"], rows)


def default_of(name: str, field: FieldInfo) -> str:
    """Tell a default in words, without what is of this machine."""
    if name == "host_name":
        return "this machine's name"
    if isinstance(field.default, Path):
        return f"`{field.default.relative_to(REPOSITORY)}` in the repository"
    if field.default is None or field.default == "":
        return "unset"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def routes() -> str:
    """List every route of the API with its answers and errors."""
    rows = []
    for endpoint in ENDPOINTS:
        answers = ", ".join(
            f"{status} {answer_of(model)}".strip() for status, model in endpoint.answers.items()
        )
        possible = dict.fromkeys((*endpoint.errors, *EVERYWHERE))
        errors = ", ".join(f"`{error.code}`" for error in possible)
        bodies = [endpoint.body] if isinstance(endpoint.body, type) else (endpoint.body or ["-"])
        takes = ", ".join(answer_of(body) for body in bodies)
        path = f"`{endpoint.method} {endpoint.path}`"
        rows.append([path, summary(endpoint.handler), takes, answers, errors])
    return table(["Call", "Meaning", "Body", "Answers", "Errors"], rows)


def answer_of(model: type[BaseModel] | str | Sequence[str] | None) -> str:
    """Name what an answer holds."""
    if model is None:
        return ""
    if isinstance(model, type):
        return model.__name__
    return model if isinstance(model, str) else " or ".join(model)


def all_errors(base: type[LabError] = LabError) -> Iterator[type[LabError]]:
    """Give every error class."""
    for error in base.__subclasses__():
        yield error
        yield from all_errors(error)


def errors() -> str:
    """List the codes of problem bodies."""
    found = sorted({error.code: error for error in all_errors()}.items())
    rows = [
        [f"`{code}`", f"{error.status} {HTTPStatus(error.status).phrase}", error.title,
         summary(error)]
        for code, error in found
    ]  # fmt: skip
    return table(["`code`", "Status", "Title", "Meaning"], rows)


def all_failures() -> list[dict[str, str]]:
    """Give the words of every explanation, read from the source: some arise in a driver only."""
    found: dict[str, dict[str, str]] = {}
    for folder in ("drivers", "provisioner"):
        for path in sorted((REPOSITORY / "server" / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _name(node.func) == "Explanation":
                    words = {word.arg or "": _text(word.value) for word in node.keywords}
                    if re.fullmatch(r"\w+", words.get("code", "")):
                        found.setdefault(words["code"], words)
    return [found[code] for code in sorted(found)]


def failures() -> str:
    """List the codes of explained failures."""
    rows = [
        [f"[`{words['code']}`](../howto/troubleshoot.md#{words['code']})", words["title"],
         words["fix"]]
        for words in all_failures()
    ]  # fmt: skip
    return table(["`failure.code`", "Title", "What to do"], rows)


def failure_sections() -> str:
    """Tell about each failure under a heading of its own, which `failure.docs` names."""
    return "\n\n".join(
        f"### {words['code']}\n{words['title']}: {words['cause']}.\n\nWhat to do: {words['fix']}."
        for words in all_failures()
    )


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _text(node: ast.expr) -> str:
    """Give a text of the source; what it puts in shows as `...`."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values
        )
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "..."


def event_types() -> str:
    """List the events."""
    found = [
        each
        for each in vars(facts).values()
        if inspect.isclass(each)
        and issubclass(each, facts.EventData)
        and each is not facts.EventData
    ]
    rows = [[f"`{each.TYPE}`", str(each.VERSION), fields_of(each), summary(each)] for each in found]
    return table(["`type`", "`version`", "`data`", "Meaning"], rows)


def frame_types(module: ModuleType, base: type[BaseModel]) -> Callable[[], str]:
    """List the frames of one direction."""

    def write() -> str:
        found = [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, base) and "type" in each.model_fields
        ]
        rows = [
            [f"`{get_args(each.model_fields['type'].annotation)[0]}`", fields_of(each),
             summary(each)]
            for each in found
        ]  # fmt: skip
        return table(["`type`", "Fields", "Meaning"], rows)

    return write


def fields_of(model: type[BaseModel]) -> str:
    """Name the fields as they are on the wire, with their types; `?` may be absent."""
    schema = model.model_json_schema(mode="serialization")
    named = [
        f"`{alias}`{'' if field.is_required() else '?'} "
        f"({type_of(schema['properties'][alias], schema.get('$defs', {}))})"
        for name, field in model.model_fields.items()
        if (alias := field.alias or name) != "type"
    ]
    return ", ".join(named) or "-"


def type_of(schema: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    """Name the type of a value as JSON has it."""
    match schema:
        case {"$ref": str(reference)}:
            return type_of(inner[reference.rpartition("/")[2]], inner)
        case {"anyOf": [*parts]}:
            return " or ".join(dict.fromkeys(type_of(part, inner) for part in parts))
        case {"type": "string", "format": "date-time"}:
            return "string, a time"
        case {"type": "string", "format": "uuid"}:
            return "string, a UUID"
        case {"oneOf": _}:
            return "object"
        case _:
            return str(schema["type"])


def close_codes(closings: Mapping[str, Closing]) -> Callable[[], str]:
    """List the codes with which the server closes a connection."""

    def write() -> str:
        rows = [
            [str(each.code), f"`{reason}`", each.meaning, each.then]
            for reason, each in closings.items()
        ]
        return table(["code", "reason", "meaning", "what a client does"], rows)

    return write


LIMIT_MEANINGS = {
    "max_frame_bytes": "bytes of one frame of a client; a larger one closes with 1009",
    "max_subscriptions": "topics at the same time on one connection; else 4429",
    "max_frames_per_minute": "frames of a client within a minute; else 4429",
    "max_streams": "WebSockets, SSE and followed logs of a user at the same time, a setting; else "
    "HTTP 429 with `Retry-After`",
    "heartbeat_seconds": "between two `bookmark` of a topic with nothing new; up to twice as long "
    "after a subscribe",
    "ping_seconds": "between two pings of the WebSocket, which libraries answer by themselves",
    "pong_seconds": "for the answer to such a ping; else the connection is closed",
    "goaway_retry_after_ms": "to wait before a reconnect after `goaway`",
}


def limits() -> str:
    """List the numbers of the stream."""
    found = asyncapi.limits()
    rows = [[f"`{name}`", f"{found[name]:g}", text] for name, text in LIMIT_MEANINGS.items()]
    return table(["limit", "value", "meaning"], rows)


def lifecycle() -> str:
    """Draw the state machine."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> pending"]
    for source, targets in TRANSITIONS.items():
        lines += [f"    {source} --> {target}" for target in sorted(targets)]
    lines += [f"    {phase} --> [*]" for phase, targets in TRANSITIONS.items() if not targets]
    return "\n".join([*lines, "```"])


def benchmark(suite: str) -> str:
    """Show what `bench/run SUITE` has measured last."""
    path = REPOSITORY / "bench" / "results" / f"{suite}.json"
    told = json.loads(path.read_text())
    rows = [
        [f"`{figure['row']}`",
         figure["what"] + (f" ({figure['note']})" if "note" in figure else ""),
         f"{written(figure['ours'])} {figure['unit']}",
         written(figure["baseline"]) if "baseline" in figure else "-",
         ratio_of(figure),
         ", ".join(figure.get("targets", ["-"])),
         {True: "met", False: "missed"}.get(figure.get("met"), "-")]
        for figure in told["figures"]
    ]  # fmt: skip
    on = told["machine"]
    runs = [
        [f"`{row}`", run["git"], run["at"], str(run["repeat"]), f"{run['load_before']:g}"]
        for row, run in {figure["row"]: figure["run"] for figure in told["figures"]}.items()
    ]
    return "\n\n".join([
        table(["Row", "What", "Ours", "Baseline", "Ratio", "Target", ""], rows),
        f"{on['cores']} cores, {on['memory_gib']:g} GiB, Linux {on['kernel']}, Python "
        f"{on['python']}, PostgreSQL {on['postgresql']}. The load is that of the minute before: "
        "above 0.5 somebody else was at work.",
        table(["Row", "Measured at", "On", "Times", "Load"], runs),
    ])  # fmt: skip


def clients() -> str:
    """Show what the last recorded run of the foreign clients found."""
    recorded = json.loads(CLIENTS.read_text())
    rows = [
        [name, entry["version"], verdict_of(entry, "proxy"), verdict_of(entry, "direct"),
         entry["on"]]
        for name, entry in recorded["clients"].items()
    ]  # fmt: skip
    rows += [[name, entry["version"], "not run", "not run", entry["reason"]]
             for name, entry in recorded["not_run"].items()]  # fmt: skip
    return table(["Client", "Version", "`proxy`", "`direct`", "Recorded"], rows)


def verdict_of(entry: Mapping[str, Any], way: str) -> str:
    """Count the checks of a client that hold through one kubeconfig."""
    checks = entry["endpoints"].get(way)
    if checks is None:
        return "not run"
    return f"{sum(not reason for reason in checks.values())} of {len(checks)}"


def client_checks() -> str:
    """List what each client was checked for, and why what fails does."""
    rows = []
    for name, entry in json.loads(CLIENTS.read_text())["clients"].items():
        names = dict.fromkeys(check for checks in entry["endpoints"].values() for check in checks)
        failed = [
            f"`{way}`, {check}: {reason}"
            for way, checks in entry["endpoints"].items()
            for check, reason in checks.items()
            if reason
        ]
        rows.append([name, "; ".join(names), "<br>".join(failed) or "-"])
    return table(["Client", "Tried", "Fails"], rows)


def written(value: float) -> str:
    """Write a figure with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004


def ratio_of(figure: dict[str, Any]) -> str:
    """Write a ratio with its spread."""
    if "ratio" not in figure:
        return "-"
    spread = f" ({figure['ratio_from']:.2f} to {figure['ratio_to']:.2f})"
    return f"{figure['ratio']:.2f}x" + (spread if len(figure["ours_each"]) > 1 else "")


def gauges() -> str:
    """List what /metrics tells."""
    rows = [
        [f"`{each.name}`", ", ".join(f"`{label}`" for label in each.labels) or "-", each.meaning]
        for each in GAUGES
    ]
    return table(["name", "labels", "meaning"], rows)


PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "settings": ("configuration.md", settings),
    "routes": ("api.md", routes),
    "problems": ("errors.md", errors),
    "failures": ("errors.md", failures),
    "failure sections": ("../howto/troubleshoot.md", failure_sections),
    "events": ("protocol.md", event_types),
    "client frames": ("protocol.md", frame_types(frames, Ask)),
    "server frames": ("protocol.md", frame_types(frames, Answer)),
    "close codes": ("protocol.md", close_codes(CLOSINGS)),
    "terminal frames": ("terminal.md", frame_types(terminals, Answer)),
    "terminal asks": ("terminal.md", frame_types(terminals, Ask)),
    "terminal close codes": ("terminal.md", close_codes(TERMINAL_CLOSINGS)),
    "limits": ("protocol.md", limits),
    "metrics": ("../howto/operate.md", gauges),
    "lifecycle": ("lifecycle.md", lifecycle),
    "stream benchmark": ("benchmarks.md", partial(benchmark, "stream")),
    "proxy benchmark": ("benchmarks.md", partial(benchmark, "proxy")),
    "create benchmark": ("benchmarks.md", partial(benchmark, "create")),
    "claim benchmark": ("benchmarks.md", partial(benchmark, "claim")),
    "density benchmark": ("benchmarks.md", partial(benchmark, "density")),
    "volume benchmark": ("benchmarks.md", partial(benchmark, "volume")),
    "clients": ("clients.md", clients),
    "client checks": ("clients.md", client_checks),
}


def replaced(text: str, part: str, content: str) -> str:
    """Put the content between the marks of a part.

    Raises:
        ValueError: the marks are not there.
    """
    begin, end = f"<!-- generated: {part} -->", f"<!-- end of {part} -->"
    found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.DOTALL)
    if found is None:
        raise ValueError(f"the marks of {part!r} are missing")
    return f"{text[: found.start()]}{begin}\n{content}\n{end}{text[found.end() :]}"


def main() -> int:
    """Write all parts."""
    for part, (name, write) in PARTS.items():
        path = REFERENCE / name
        path.write_text(replaced(path.read_text(), part, write()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
