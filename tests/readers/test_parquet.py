"""Parquet, where pyarrow is installed; and the message where it is not."""

import io
import sys
from pathlib import Path

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.readers import Problem, Record, read


def written(path: Path, **columns: object) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path, row_group_size=2)
    return path


def test_rows_and_problems(tmp_path: Path) -> None:
    path = written(
        tmp_path / "in.parquet", text=["a", None, "c\0", "d"], label=[1, 2, 3, None], id=["i", "j", "k", "l"]
    )
    assert list(read(path)) == [
        Record("a", "1", "i", 1),
        Problem(2, "the text is empty"),
        Problem(3, "the text holds a NUL character at position 2"),
        Record("d", None, "l", 4),
    ]


def test_from_standard_input_by_its_first_bytes(tmp_path: Path) -> None:
    data = written(tmp_path / "in.parquet", message=["a", "b"]).read_bytes()
    assert [row.text for row in read(io.BytesIO(data), name="-") if isinstance(row, Record)] == ["a", "b"]


def test_categories_and_other_types(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    label = pyarrow.array(["x", "y", "x"]).dictionary_encode()
    path = written(tmp_path / "in.parquet", text=["a", "b", "c"], label=label)
    assert [row.label for row in read(path) if isinstance(row, Record)] == ["x", "y", "x"]
    path = written(tmp_path / "in.parquet", text=[b"a", b"b"])
    assert next(read(path)) == Problem(1, "'text' is raw bytes, not a text")
    broken = pyarrow.array([b"a", b"\xe9"]).cast(pyarrow.binary()).view(pyarrow.string())
    path = written(tmp_path / "in.parquet", text=broken)
    assert list(read(path)) == [Record("a", None, None, 1), Problem(2, "byte 0xE9 in it is not UTF-8")]


def test_wrong_column_and_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "in.parquet", text=["a"], n=[1])
    with pytest.raises(InputError, match=r"no column is called 'txt'; columns: 'text', 'n'"):
        list(read(path, text_column="txt"))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(read(path))


def test_without_pyarrow_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="needs pyarrow") as caught:
        list(read(path))
    assert "pip install 'mollia[parquet]'" in caught.value.hint
