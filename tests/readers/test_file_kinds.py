"""Files that are no plain text: spreadsheets, gzip, data set folders; and what only looks like one of them."""

import datetime
import gzip
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.readers import Problem, Record, read

CSV = b"text,label,author\nfirst one,a,Ann\nsecond one,b,Ben\n"
ROWS = [Record("first one", "a", None, 2, {"author": "Ann"}), Record("second one", "b", None, 3, {"author": "Ben"})]


def workbook(path: Path, *sheets: list[list[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"Table {number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_spreadsheet_is_read(tmp_path: Path) -> None:
    day = datetime.datetime(2026, 11, 21, 10, 0)
    rows = [["Body Text", "label", "date", "n"], ["first", "a", day, 2.0], [None] * 4, [12, "b", None, 1.5]]
    path, said = workbook(tmp_path / "in.xlsx", rows, [["other"], ["sheet"]]), []
    assert list(read(path, name="in.xlsx", say=said.append)) == [
        Record("first", "a", None, 2, {"date": "2026-11-21T10:00:00", "n": 2}),
        Problem(4, "'Body Text' is a number, not a text"),
    ]
    assert said == [
        "in.xlsx: the first of 2 sheets is read: 'Table 1'",
        "in.xlsx: text = column 'Body Text', label = column 'label'; other columns: 'date', 'n'",
    ]


def test_a_spreadsheet_under_another_name_is_read_as_what_it_is(tmp_path: Path) -> None:
    path, said = workbook(tmp_path / "in.xlsx", [["text"], ["a"]]).rename(tmp_path / "in.csv"), []
    assert list(read(path, name="in.csv", say=said.append)) == [Record("a", None, None, 2)]
    assert said[0] == "in.csv: it is called .csv and is xlsx: read as xlsx"


@pytest.mark.parametrize("rows", [[], [["text", "label"]]])
def test_a_spreadsheet_without_texts_is_an_error(tmp_path: Path, rows: list[list[Any]]) -> None:
    with pytest.raises(InputError, match=r"is empty|no row below its header"):
        list(read(workbook(tmp_path / "in.xlsx", rows)))


def test_a_damaged_spreadsheet_and_another_archive(tmp_path: Path) -> None:
    path = workbook(tmp_path / "in.xlsx", [["text"], ["a"]])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"in\.xlsx cannot be read as an Excel spreadsheet"):
        list(read(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("texts.csv", "text\na\n")
    with pytest.raises(InputError, match="a zip archive, and no Excel workbook") as caught:
        list(read(path))
    assert "unpack it" in caught.value.hint


@pytest.mark.parametrize(
    ("library", "suffix", "head", "extra"),
    [("openpyxl", "xlsx", None, "xlsx"), ("pyarrow", "arrow", b"ARROW1\0\0", "parquet")],
)
def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, suffix: str, head: bytes | None, extra: str
) -> None:
    path = tmp_path / f"in.{suffix}"
    if head is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml", "")
    else:
        path.write_bytes(head)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=f"needs {library}") as caught:
        list(read(path))
    assert f"pip install 'mollia[{extra}]'" in caught.value.hint


def test_gzip_is_unpacked_by_its_content(tmp_path: Path) -> None:
    for name, data in {
        "a.csv.gz": gzip.compress(CSV),
        "b.csv": gzip.compress(CSV[:20]) + gzip.compress(CSV[20:]),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert list(read(tmp_path / name)) == ROWS
    assert list(read(io.BytesIO(gzip.compress(CSV)), "csv", name="-")) == ROWS
    lines = [json.dumps({"text": f"text {n}"}) for n in range(20_000)]
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    assert sum(isinstance(row, Record) for row in read(tmp_path / "c.jsonl.gz")) == 20_000


@pytest.mark.parametrize("cut", [lambda data: data[:-12], lambda data: data[:30] + b"\xff" * 20 + data[50:]])
def test_damaged_gzip_is_said(tmp_path: Path, cut: Callable[[bytes], bytes]) -> None:
    (tmp_path / "a.csv.gz").write_bytes(cut(gzip.compress(CSV)))
    with pytest.raises(InputError, match=r"a\.csv\.gz is (damaged|compressed).*gzip") as caught:
        list(read(tmp_path / "a.csv.gz"))
    assert caught.value.hint == "is it whole?"


LOOKS = {
    "CSV as .xlsx": ("a.xlsx", CSV, "a.xlsx is called .xlsx and is none: it looks like csv", "if it is: --format csv"),
    "lines as .parquet": (
        "a.parquet",
        b"hello\n",
        "is called .parquet and is none: it looks like lines",
        "--format lines",
    ),
    "a program": (
        "a.csv",
        b"\x7fELF\x02\x01\x01" + bytes(200),
        "a.csv is a binary file, not text",
        "give a file of texts",
    ),
    "a picture": (
        "a.txt",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "a.txt is a binary file, not text",
        "a file of texts",
    ),
    "an LLM": ("a.txt", b"GGUF\x03\0\0\0", "a.txt is an LLM, not text", "mollia models add FILE"),
    "a tar archive": ("a.csv.gz", gzip.compress(bytes(257) + b"ustar\0"), "is a tar archive, not text", "tar -xf FILE"),
    "an old spreadsheet": (
        "a.xls",
        b"\xd0\xcf\x11\xe0" + bytes(99),
        "is an old spreadsheet or document",
        "save it as .xlsx",
    ),
}


@pytest.mark.parametrize("case", LOOKS)
def test_what_a_file_is_counts_and_not_its_name(tmp_path: Path, case: str) -> None:
    name, data, message, hint = LOOKS[case]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        list(read(tmp_path / name, name=name))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_an_address_is_no_file() -> None:
    for address in ("https://example.org/a.csv", "hf://datasets/x/y.parquet"):
        with pytest.raises(
            InputError, match=f"{address} is an address, and mollia reads files of this machine"
        ) as caught:
            list(read(Path(address)))
        assert "curl -LO" in caught.value.hint


def table(labels: list[int], texts: list[str]) -> Any:
    """As `datasets` writes one: the label set stands in the schema's metadata."""
    pyarrow = pytest.importorskip("pyarrow")
    features = {
        "headline": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
    }
    made = pyarrow.table({"headline": texts, "label": labels, "year": [2026] * len(texts), "raw": [b"x"] * len(texts)})
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


EXPECTED = [
    Record("a", "neg", None, 1, {"year": 2026}),
    Record("b", None, None, 2, {"year": 2026}),
    Record("c", "pos", None, 3, {"year": 2026}),
]


def save(folder: Path, parquet: bool, split: str = "data") -> Path:
    """Two shards of a table."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate((table([0, -1], ["a", "b"]), table([1], ["c"]))):
        name = folder / f"{split}-{number:05d}-of-00002"
        if parquet:
            pq.write_table(part, f"{name}.parquet")
        else:
            with pyarrow.OSFile(f"{name}.arrow", "wb") as sink, pyarrow.ipc.new_stream(sink, part.schema) as writer:
                writer.write_table(part)
    return folder


@pytest.mark.parametrize("parquet", [False, True])
def test_the_shards_of_a_data_set_are_one_table(tmp_path: Path, parquet: bool) -> None:
    said: list[str] = []
    assert list(read(save(tmp_path / "d", parquet), name="d", say=said.append)) == EXPECTED
    assert len(said) == 1
    [shard] = [path for path in (tmp_path / "d").iterdir() if "00001-of" in path.name]
    assert [row.label for row in read(shard) if isinstance(row, Record)] == ["pos"]


@pytest.mark.parametrize("parquet", [False, True])
def test_of_several_splits_one_is_chosen(tmp_path: Path, parquet: bool) -> None:
    folder = tmp_path / "d"
    for split in ("train", "test"):
        if parquet:
            save(folder / "data", True, split)
        else:
            save(folder / split, False)
            (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(InputError, match="holds several splits: test, train") as caught:
        list(read(folder))
    assert caught.value.hint == f"import one after the other: mollia import {folder / 'test'} --split pool"
    assert list(read(folder / "train")) == EXPECTED


@pytest.mark.proof
def test_what_the_datasets_library_saves_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"headline": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    made = datasets.Dataset.from_dict({"headline": ["a", "b"], "label": [1, 0]}, features=features)
    datasets.DatasetDict({"train": made, "test": made}).save_to_disk(str(tmp_path / "d"))
    assert list(read(tmp_path / "d" / "train")) == [Record("a", "pos", None, 1), Record("b", "neg", None, 2)]
