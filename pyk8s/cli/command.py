"""Give a command its session: the global options wherever they stand, errors as exit codes."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast

import typer

from pyk8s.cli import exits
from pyk8s.cli.session import Output, Session

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="The server. Over PYK8S_URL, over the last login. Without a scheme: https.",
        metavar="URL",
    ),
]
Format = Annotated[
    Output | None,
    typer.Option("--output", "-o", help="How to print data.", show_default=False),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Names and errors only.", show_default=False),
]
GLOBALS = {"url": Url, "output": Format, "quiet": Quiet}
DEFAULTS: dict[str, Any] = {"url": None, "output": None, "quiet": False}

Handler = Callable[..., Coroutine[Any, Any, None] | None]


def command(app: typer.Typer, name: str | None = None) -> Callable[[Handler], Handler]:
    """Register a function as a command of `app`.

    Its first parameter is the `Session`; the others are typer's. It may be a coroutine.
    """

    def register(handler: Handler) -> Handler:
        own = inspect.signature(handler, eval_str=True)
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=kind)
            for (key, kind), value in zip(GLOBALS.items(), DEFAULTS.values(), strict=True)
        ]
        context = inspect.Parameter(
            "context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
        )
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in list(own.parameters.values())[1:]
        ]

        def run(*, context: typer.Context, **values: Any) -> None:
            given = {key: values.pop(key) for key in GLOBALS}
            before: dict[str, Any] = context.find_root().params
            session = Session(
                url=given["url"] or before.get("url"),
                output=Output(given["output"] or before.get("output") or Output.TABLE),
                is_quiet=bool(given["quiet"] or before.get("quiet")),
            )
            _guarded(session, lambda: handler(session, **values))

        run.__name__ = handler.__name__
        run.__doc__ = handler.__doc__
        every = [context, *parameters, *shared]
        cast("Any", run).__signature__ = inspect.Signature(every)
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        app.command(name)(run)
        return handler

    return register


def _guarded(session: Session, work: Callable[[], Coroutine[Any, Any, None] | None]) -> None:
    from pyk8s.client.errors import LabError

    try:
        result = work()
        if result is not None:
            asyncio.run(result)
    except LabError as error:
        session.complain(error)
        raise typer.Exit(exits.exit_code(error)) from error
    except KeyboardInterrupt:
        raise typer.Exit(exits.INTERRUPTED) from None
