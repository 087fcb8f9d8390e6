"""One family of errors: what was wrong with which value, and what to type next."""

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_REFUSED = 4
EXIT_INTERRUPTED = 130


class MolliaError(Exception):
    """A failure that a user can act on.

    ``message`` names the value that is wrong, ``hint`` says what to type next and
    ``exit_code`` is the process's exit status (see the README's table of exit codes).
    """

    exit_code = EXIT_FAILURE

    def __init__(self, message: str, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code


class InputError(MolliaError):
    """A value that a person gave (an option, a setting, a row of a file) cannot be used."""

    exit_code = EXIT_USAGE


class NotFoundError(MolliaError):
    """A project, item, model or file that was named does not exist."""

    exit_code = EXIT_NOT_FOUND


class RefusedError(MolliaError):
    """Something exists but must not be used: a digest differs, another version wrote it."""

    exit_code = EXIT_REFUSED


class StoreError(MolliaError):
    """The project's database cannot be read or written: no part of the work that can be done without."""
