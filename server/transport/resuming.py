"""TLS towards one server that resumes the session of an earlier connection (RFC 8446, 2.2)."""

import ssl


class ResumingContext(ssl.SSLContext):
    """A client's context whose connections to a host resume the last session with that host.

    asyncio, uvloop and anyio begin each connection by `wrap_bio` and offer no session of their own.
    A watch over HTTP/1.1 has a connection for itself, and a resumed handshake saves both sides the
    certificates. The server has shown its certificate in the handshake that is resumed; to resume
    takes a secret that only this server and this context share.
    """

    _latest: ssl.SSLObject | None = None
    """The last connection, until its session is taken over: the server sends that at any time."""
    _host: str | None = None
    _session: ssl.SSLSession | None = None

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection with the newest session that there is."""
        host = server_hostname.decode() if isinstance(server_hostname, bytes) else server_hostname
        self._take_over()
        if host != self._host:
            self._host, self._session = host, None
        made = super().wrap_bio(
            incoming, outgoing, server_side, server_hostname, session or self._session
        )
        self._latest = made
        return made

    def _take_over(self) -> None:
        latest, self._latest = self._latest, None
        try:
            found = latest.session if latest is not None else None
        except ValueError:  # "i2d() failed": its handshake has not come far enough
            return
        if found is not None and found.has_ticket:
            self._session = found


def resuming_like(context: ssl.SSLContext, authority: str) -> ResumingContext:
    """Return a context as strict as this one, that resumes. `authority`: what it believes (PEM)."""
    made = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    made.options, made.verify_flags = context.options, context.verify_flags
    made.load_verify_locations(cadata=authority)
    return made
