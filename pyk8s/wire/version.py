"""The version of server, SDK and command line; the package takes it from here."""

VERSION = "0.1.0"
