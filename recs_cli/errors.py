"""The error of a wrong command line."""


class UsageError(Exception):
    """A wrong command line or configuration; its text is the whole message."""
