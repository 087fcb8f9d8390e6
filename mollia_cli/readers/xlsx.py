"""Excel workbooks, through openpyxl (an extra)."""

import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from mollia_cli.domain.errors import InputError
from mollia_cli.readers.base import Line, Problem, Record, Request, records, spooled, unique


def read(blocks: Iterable[bytes], request: Request) -> Iterator[Record | Problem]:
    """One Record for each row below the header of the first sheet; ``line`` is the sheet's row.

    Formulas count with the values that they had when the file was saved. Raises InputError without openpyxl, and for
    what is no whole workbook.
    """
    with spooled(blocks) as spool:
        try:
            with zipfile.ZipFile(spool) as archive:
                parts = set(archive.namelist())
        except zipfile.BadZipFile as error:
            raise InputError(
                f"{request.name} cannot be read as an Excel spreadsheet: {error}", "is it whole?"
            ) from None
        if "xl/workbook.xml" not in parts:
            raise InputError(
                f"{request.name} is a zip archive, and no Excel workbook",
                "unpack it and give a file of it; of another spreadsheet program, save it as .xlsx or as CSV in UTF-8",
            )
        try:
            import openpyxl
        except ImportError:
            raise InputError(
                f"{request.name}: reading Excel workbooks needs openpyxl",
                "install it: pip install 'mollia[xlsx]'; or save it as CSV in UTF-8",
            ) from None
        spool.seek(0)
        try:
            book = openpyxl.load_workbook(spool, read_only=True, data_only=True)
            sheet = book.worksheets[0]
            rows = sheet.iter_rows(values_only=True)
            header = [_heading(cell) for cell in next(rows, ())]
            while header and not header[-1]:
                header.pop()
            if not header:
                raise InputError(f"{request.name}: the first sheet, {sheet.title!r}, is empty", "put the texts there")
            if len(book.sheetnames) > 1:
                request.tell(f"the first of {len(book.sheetnames)} sheets is read: {sheet.title!r}")
            yield from records(header, _rows(rows, unique(header)), request)
        except (KeyError, ValueError, OSError, zipfile.BadZipFile, SyntaxError) as error:  # openpyxl's words for damage
            raise InputError(
                f"{request.name} cannot be read as an Excel spreadsheet: {str(error)[:200]}", "is it whole?"
            ) from None


def _rows(rows: Iterable[tuple[Any, ...]], names: list[str]) -> Iterator[Line]:
    for line, row in enumerate(rows, start=2):
        if any(cell not in (None, "") for cell in row):
            yield line, dict(zip(names, map(_cell, row), strict=False))


def _heading(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _cell(cell: Any) -> Any:
    """A cell; whole numbers without the fraction that other programs write."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
