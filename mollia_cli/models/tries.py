"""Why a source gave nothing."""


class SourceError(Exception):
    """A source did not answer, or does not have the model; another one may. The text says why."""


class DifferentFileError(SourceError):
    """A source gave a file that is not the one that was asked for."""
