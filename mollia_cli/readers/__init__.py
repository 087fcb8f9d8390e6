"""Readers: files of texts in, rows out. One file per format."""

from mollia_cli.readers.base import Problem, Record
from mollia_cli.readers.csv import delimiter_of
from mollia_cli.readers.detect import FORMATS, read

__all__ = ["FORMATS", "Problem", "Record", "delimiter_of", "read"]
