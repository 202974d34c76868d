"""doctor: is everything there that clusters need, on the server and on this machine?"""

import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from pyk8s.cli import exits
from pyk8s.cli.command import command
from pyk8s.cli.session import Session
from pyk8s.cli.words import plain
from pyk8s.wire.service import Check

if TYPE_CHECKING:
    from pyk8s.client.lab import Lab

MAX_SKEW_SECONDS = 5.0


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @command(app, "doctor")
    async def _(session: Session) -> None:
        """Check the server and this machine, and say how to mend what is wrong.

        Exits with 9 when no server answers, with 1 when something required is wrong.
        """
        from pyk8s.client.errors import Misunderstood, Unreachable

        checks = [kubectl_check(shutil.which("kubectl"))]
        code = exits.OK
        async with session.lab() as lab:
            try:
                vitals = await lab.vitals()
            except (Unreachable, Misunderstood) as error:
                code = exits.exit_code(error)
                checks.append(Check(name="server", ok=False, detail=error.detail, fix=error.fix))
            else:
                health = vitals.health
                said = f"{lab.url} answers: {health.version}, driver {health.driver}"
                checks.append(Check(name="server", ok=True, detail=said))
                checks.append(time_check(vitals.clock_skew_seconds))
                checks.append(await _login(lab))
                checks += [c.model_copy(update={"name": f"server/{c.name}"}) for c in health.checks]
        if code == exits.OK and any(check.required and not check.ok for check in checks):
            code = exits.OTHER
        document = {"items": [check.model_dump(mode="json") for check in checks]}
        session.show(
            document,
            name=lambda item: str(item["name"]),
            table=lambda: show(session, checks),
        )
        raise typer.Exit(code)


def kubectl_check(path: str | None) -> Check:
    """Judge whether kubectl is there; clusters can be made without it."""
    if path is None:
        return Check(
            name="kubectl",
            ok=False,
            required=False,
            detail="kubectl is not in PATH",
            fix="install it: https://kubernetes.io/docs/tasks/tools",
        )
    return Check(name="kubectl", ok=True, required=False, detail=path)


def time_check(skew_seconds: float | None) -> Check:
    """Judge the two clocks; a wrong one makes certificates and lifetimes look wrong."""
    if skew_seconds is None:
        return Check(name="time", ok=True, required=False, detail="the server tells no time")
    ok = abs(skew_seconds) <= MAX_SKEW_SECONDS
    if ok:
        return Check(
            name="time", ok=True, required=False, detail="this clock and the server's agree"
        )
    ahead = "ahead of" if skew_seconds > 0 else "behind"
    return Check(
        name="time",
        ok=False,
        required=False,
        detail=f"the server's clock is {abs(skew_seconds):.0f} s {ahead} this one",
        fix="set the wrong one: timedatectl set-ntp true",
    )


async def _login(lab: "Lab") -> Check:
    from pyk8s.client.errors import LabError, Unauthenticated

    if not lab.is_signed_in:
        return Check(name="login", ok=False, detail="not signed in", fix="pyk8s login")
    try:
        me = await lab.me()
    except Unauthenticated:
        return Check(
            name="login", ok=False, detail="the token is not valid any more", fix="pyk8s login"
        )
    except LabError as error:
        return Check(name="login", ok=False, detail=error.detail, fix=error.fix)
    return Check(name="login", ok=True, detail=f"signed in as {me.user.username}")


def show(session: Session, checks: Iterable[Check]) -> None:
    """Print a line for each check, and under it how to mend it."""
    from rich.text import Text

    for check in checks:
        sign, style = (
            ("✓", "green") if check.ok else ("✗", "red") if check.required else ("!", "yellow")
        )
        line = Text(f"{sign} ", style).append(f"{check.name:<24}", "bold default")
        session.out.print(line.append(plain(check.detail), "not bold default"))
        if check.fix and not check.ok:
            session.tell_pair("    fix  ", check.fix, is_data=True)
