"""Bad input is one kind of error: `InputError`, whose text is the one line a user reads."""


class InputError(ValueError):
    """The data or the flags can't be used; the message names what is wrong and what is allowed."""
