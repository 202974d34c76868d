"""register, login, logout, whoami."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pyk8s.cli.command import command
from pyk8s.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

Username = Annotated[
    str | None, typer.Argument(metavar="USERNAME", help="Asked for when left out.")
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""

    @command(app, "register")
    async def _(
        session: Session,
        username: Username = None,
        password_stdin: PasswordStdin = False,
        setup_code: Annotated[
            str | None,
            typer.Option(
                "--setup-code",
                help="For the first account of a server that others reach: its start prints it.",
            ),
        ] = None,
    ) -> None:
        """Make an account and sign in. The first account of a new server becomes its admin."""
        async with session.lab() as lab:
            lab.require_private()
            server = await lab.server()
            if server.is_empty or server.setup_code_required:
                session.say("This server is new: you become its admin.")
            session.say(server.trust, style="dim")
            name = _username(session, username)
            if server.setup_code_required and setup_code is None:
                setup_code = _setup_code(session)
            password = _password(session, password_stdin, is_new=True)
            name = await lab.register(name, password, setup_code=setup_code)
            session.say(f"Welcome, {name}. You are signed in to {lab.url}.")
            session.say("Your first cluster: pyk8s create demo")

    @command(app, "login")
    async def _(
        session: Session, username: Username = None, password_stdin: PasswordStdin = False
    ) -> None:
        """Sign in. This machine keeps a token, not the password; `logout` revokes it."""
        async with session.lab() as lab:
            lab.require_private()
            name = _username(session, username)
            name = await lab.login(name, _password(session, password_stdin, is_new=False))
            session.say(f"Signed in to {lab.url} as {name}.")

    @command(app, "logout")
    async def _(
        session: Session,
        everywhere: Annotated[
            bool,
            typer.Option(
                "--everywhere",
                help="End every session, token and kubeconfig of yours, on all machines.",
            ),
        ] = False,
    ) -> None:
        """Sign out: revoke this machine's token and forget it."""
        async with session.lab() as lab:
            if everywhere:
                await lab.logout_everywhere()
                session.say(f"Signed out of {lab.url} everywhere.")
                session.say("  Every session, token and kubeconfig of yours has ended.")
                return
            name = await lab.logout()
            if name is None:
                session.say(f"Nobody was signed in to {lab.url}.")
            else:
                session.say(f"Signed out of {lab.url}; {name}'s token no longer works.")

    @command(app, "whoami")
    async def _(session: Session) -> None:
        """Say who you are, and how much of your quota is used."""
        async with session.lab() as lab:
            document = await lab.get("/auth/me")
            session.show(
                document,
                name=lambda me: str(me["user"]["username"]),
                table=lambda: _show_me(session, lab.url, document),
            )


def _show_me(session: Session, url: str, document: "Mapping[str, object]") -> None:
    from pyk8s.client.http import understand
    from pyk8s.wire.accounts import Me

    me = understand(Me, document)
    admin = " (admin)" if me.user.is_admin else ""
    rows = [
        ("user", f"{me.user.username}{admin}"),
        ("server", url),
        ("may", ", ".join(me.scopes)),
        ("clusters", f"{me.usage.clusters} of {me.quota.clusters}"),
    ]
    session.print_facts(rows)


def _username(session: Session, given: str | None) -> str:
    if given:
        return given
    if not session.is_interactive:
        raise typer.BadParameter("Give the user name as an argument: nobody can be asked here.")
    return str(typer.prompt("User name", err=True))


def _setup_code(session: Session) -> str:
    if not session.is_interactive:
        raise typer.BadParameter(
            "Give the setup code with --setup-code: the server's log has it, and nobody can be "
            "asked here."
        )
    return str(typer.prompt("Setup code (in the server's log)", err=True))


def _password(session: Session, from_stdin: bool, *, is_new: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise typer.BadParameter("Standard input holds no password.")
        return password
    if not session.is_interactive:
        raise typer.BadParameter("Give the password with --password-stdin: nobody can be asked.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=is_new, err=True))
