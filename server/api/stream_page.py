"""The page at /docs/stream: the AsyncAPI document as HTML, without a script."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from html import escape
from typing import Any, Final

import orjson

STYLE: Final = "/docs/stream.css"
_CODE: Final = re.compile(r"`([^`]+)`")
_LINK: Final = re.compile(r"\[([^\]]+)\]\((/[^)\s]*)\)")
_LOGO: Final = (
    '<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">'
    '<path d="M12 2.500 20 7v10l-8 4.500L4 17V7z"/><path d="M12 8.500v7M8.500 12h7"/></svg>'
)
Json = Mapping[str, Any]


def write(document: Json) -> str:
    """Write the whole page."""
    channel, terminal = document["channels"]["stream"], document["channels"]["terminal"]
    client, server = (_frame_names(document, "stream", action) for action in ("receive", "send"))
    types, shows = (_frame_names(document, "terminal", action) for action in ("receive", "send"))
    sections = (
        ("connect", "Connect", _connect(document, channel)),
        ("topics", "Topics", _topics(channel)),
        ("client", "Frames of the client", _frames(document, client)),
        ("server", "Frames of the server", _frames(document, server)),
        ("events", "Events", _events(document)),
        ("limits", "Limits", _limits(channel["x-limits"])),
        ("closing", "Close codes", _closing(channel["x-close-codes"])),
        ("terminal", "The terminal", _terminal(document, terminal)),
        ("terminal-client", "Terminal: frames of the client", _frames(document, types, client)),
        (
            "terminal-server",
            "Terminal: frames of the server",
            _frames(document, shows, {*types, *server}),
        ),
        ("terminal-closing", "Terminal: close codes", _closing(terminal["x-close-codes"])),
        ("models", "Models", _models(document)),
    )
    contents = "".join(f'<li><a href="#{place}">{name}</a></li>' for place, name, _ in sections)
    body = "".join(
        f'<section aria-labelledby="{place}"><h2 id="{place}">{name}</h2>{inner}</section>'
        for place, name, inner in sections
    )
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title>"
        f'<link rel="icon" href="data:,"><link rel="stylesheet" href="{STYLE}"></head><body>'
        f'<header><a class="brand" href="/">{_LOGO}PyK8s Lab</a><nav aria-label="Documents">'
        '<a href="/docs">REST</a><a href="/docs/stream" aria-current="page">Stream</a>'
        '<a href="/asyncapi.json">asyncapi.json</a></nav></header>'
        f'<div class="page"><nav class="contents" aria-label="On this page"><ul>{contents}</ul>'
        "</nav><main><h1>The stream and the terminal</h1>"
        f'<p class="lead">{prose(info["description"])}</p>{body}'
        f"</main></div><footer>PyK8s Lab {escape(info['version'])} · AsyncAPI "
        f"{escape(document['asyncapi'])}</footer></body></html>\n"
    )


def prose(text: str) -> str:
    """Write a text of the document as HTML: it may have `code` and links to this server."""
    linked = _LINK.sub(r'<a href="\2">\1</a>', escape(text))
    return _CODE.sub(r"<code>\1</code>", linked)


def _connect(document: Json, channel: Json) -> str:
    socket = channel["bindings"]["ws"]["headers"]
    addresses = "".join(
        f"<li><code>{escape(each['protocol'])}://{escape(each['variables']['host']['default'])}"
        f"{escape(channel['address'])}</code> {prose(each['description'])}</li>"
        for each in document["servers"].values()
    )
    rows = []
    for name, header in socket["properties"].items():
        value = f"<code>{escape(header['const'])}</code>. " if "const" in header else ""
        rows.append((f"<code>{escape(name)}</code>", value + prose(header["description"])))
    return f"<ul>{addresses}</ul>{_table(('Header of the handshake', 'Value'), rows)}"


def _topics(channel: Json) -> str:
    rows = [
        (f"<code>{escape(name)}</code>", prose(meaning))
        for name, meaning in channel["x-topics"].items()
    ]
    return _table(("Topic", "What comes"), rows)


def _terminal(document: Json, channel: Json) -> str:
    query = _fields(channel["bindings"]["ws"]["query"])
    return (
        f"<p>{prose(channel['description'])}</p>{_connect(document, channel)}"
        f"<h3>In the address</h3>{query}"
    )


def _frame_names(document: Json, channel: str, action: str) -> list[str]:
    place = f"#/channels/{channel}"
    names = dict.fromkeys(
        message["$ref"].rpartition("/")[2]
        for operation in document["operations"].values()
        if operation["action"] == action and operation["channel"]["$ref"] == place
        for message in operation["messages"]
    )
    return [*names]


def _frames(document: Json, names: Iterable[str], shown: Container[str] = ()) -> str:
    """Show frames; of those that stand above already only where."""
    above = "".join(
        f'<li><a href="#{name}">{name}</a>, as above.</li>' for name in names if name in shown
    )
    rest = "".join(_frame(document, name) for name in names if name not in shown)
    return f"{rest}<ul>{above}</ul>" if above else rest


def _frame(document: Json, name: str) -> str:
    message = document["components"]["messages"][name]
    examples = message.get("examples", [])
    if name == "Events":  # each type has its example under its own heading
        examples = examples[-1:]
    shown = "".join(_example(each["name"], each["payload"]) for each in examples)
    model = document["components"]["schemas"].get(name)
    fields = _fields(model) if model else ""  # bytes have none
    return (
        f'<article><h3 id="{name}"><code>{escape(message["name"])}</code> <small>{name}</small>'
        f"</h3><p>{prose(message['summary'])}</p>{fields}{shown}</article>"
    )


def _events(document: Json) -> str:
    schemas = document["components"]["schemas"]
    by_type = {
        each["name"]: each["payload"]["events"][0]
        for each in document["components"]["messages"]["Events"]["examples"]
    }
    parts = []
    for each in document["channels"]["stream"]["x-event-types"]:
        data = schemas[each["schema"]["$ref"].rpartition("/")[2]]["properties"]["data"]
        fields = _fields(schemas[data["$ref"].rpartition("/")[2]])
        parts.append(
            f'<article><h3 id="event-{each["type"]}"><code>{escape(each["type"])}</code> '
            f"<small>version {each['version']}</small></h3><p>{prose(each['meaning'])}</p>"
            f"{fields}{_example('an event', by_type[each['type']])}</article>"
        )
    return f"<p>Each is <code>{{seq, type, version, at, data}}</code>.</p>{''.join(parts)}"


def _limits(limits: Json) -> str:
    rows = [(f"<code>{escape(name)}</code>", f"{float(it):,g}") for name, it in limits.items()]
    return _table(("Limit", "Value"), rows)


def _closing(codes: Iterable[Json]) -> str:
    rows = [
        (
            f"<code>{each['code']}</code>",
            f"{prose(each['meaning'])} <small>{escape(each['reason'])}</small>",
            prose(each["action"]),
        )
        for each in codes
    ]
    return _table(("Code", "Meaning", "What a client does"), rows)


def _models(document: Json) -> str:
    """List what frames and events are made of, where nothing above has shown it yet."""
    shown = set(document["components"]["messages"])
    for each in document["channels"]["stream"]["x-event-types"]:
        name = each["schema"]["$ref"].rpartition("/")[2]
        shown |= {name, name.removesuffix("Event")}
    parts = []
    for name, schema in document["components"]["schemas"].items():
        if name in shown:
            continue
        inner = _fields(schema) if "properties" in schema else f"<p>{_type(schema)}</p>"
        meaning = prose(" ".join(schema.get("description", "").split()))
        parts.append(f'<article><h3 id="{name}">{name}</h3><p>{meaning}</p>{inner}</article>')
    return "".join(parts)


def _fields(schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows = []
    for name, field in schema.get("properties", {}).items():
        must = "" if name in required or "const" in field else " <small>optional</small>"
        rows.append((f"<code>{escape(name)}</code>{must}", _type(field)))
    return _table(("Field", "Type"), rows) if rows else "<p>No fields.</p>"


def _type(schema: Json) -> str:
    """Say in words what a value may be."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            return f'<a href="#{name}">{name}</a>'
        case {"const": value}:
            return f"<code>{escape(str(value))}</code>"
        case {"enum": list(values)}:
            return " or ".join(f"<code>{escape(str(value))}</code>" for value in values)
        case {"anyOf": list(several)} | {"oneOf": list(several)}:
            if len(several) > MANY:
                return '<a href="#events">any event</a>'
            return " or ".join(_type(each) for each in several)
        case {"type": "array", "items": dict(items)}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case _:
            return escape(" ".join(_plain(schema)))


MANY: Final = 8
"""A union of more members than these is that of all events."""


def _plain(schema: Json) -> Iterator[str]:
    words = {"uuid": "UUID", "date-time": "RFC 3339 instant"}
    yield words.get(schema.get("format", "")) or str(schema.get("type", "anything"))
    if "minimum" in schema:
        yield f"from {schema['minimum']}"
    if "maximum" in schema:
        yield f"to {schema['maximum']}"
    if "maxLength" in schema:
        yield f"of at most {schema['maxLength']} characters"


def _example(name: str, payload: Json) -> str:
    text = orjson.dumps(payload, option=orjson.OPT_INDENT_2).decode()
    return (
        f"<details><summary>Example: {escape(name)}</summary>"
        f'<pre tabindex="0"><code>{escape(text)}</code></pre></details>'
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
