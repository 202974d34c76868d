"""The command line. `main` puts it together, `command` gives each command its session.

Nothing heavy is imported before a command needs it, so that `pyk8s --help` and
completion answer at once.
"""
