"""`python -m server` without the limit of sockets for each user: all of them are one user's."""

import sys
from functools import partial

from server import __main__, app
from server.api.sockets import SocketCount
from server.config import Settings

MANY = 100_000

if __name__ == "__main__":
    if "streams_per_user" not in Settings.model_fields:
        vars(app)["SocketCount"] = partial(SocketCount, MANY)
    sys.exit(__main__.main())
