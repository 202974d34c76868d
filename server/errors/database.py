"""Why PostgreSQL cannot do its part now. Whoever waits for PostgreSQL waits for all of these."""

from server.errors.base import Unavailable


class DatabaseRestarting(Unavailable):
    """The server's own PostgreSQL has ended, and the server is starting it again."""

    code = "database_restarting"
    title = "The database is restarting"


class DatabaseBusy(Unavailable):
    """More is asked of PostgreSQL at once than the server has connections and patience for."""

    code = "database_busy"
    title = "The database is busy"


class DatabaseFull(Unavailable):
    """The disk of PostgreSQL is full: what is there can be read, nothing can be written."""

    code = "database_full"
    title = "The disk of the database is full"
