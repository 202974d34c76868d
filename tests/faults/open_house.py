"""The server, but that one user may have as many streams open as a test wants."""

import sys
from unittest import mock

from server.__main__ import main
from server.api.sockets import SocketCount

MANY = 10_000

if __name__ == "__main__":
    with mock.patch("server.app.SocketCount", return_value=SocketCount(MANY)):
        sys.exit(main())
