"""Errors that are the user's to mend: one clear line, exit status 2, nothing written."""


class UserError(Exception):
    """Bad input. The message names the key, the value and what is allowed."""
