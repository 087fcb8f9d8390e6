"""What commands share: ids from a file or a pipe, cells, remarks."""

from pathlib import Path

import pytest

from mollia_cli.cli import common
from mollia_cli.domain.errors import InputError, NotFoundError


def test_ids_are_read_once_each_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_bytes('\ufeffb\n\n {"id": 7, "score": 1}\na\r\nb\n{"id": "a"}\n'.encode())
    assert common.read_ids(str(path)) == ["b", "7", "a"]


@pytest.mark.parametrize("line", ['{"text": "x"}', "{broken"])
def test_a_line_that_holds_no_id_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ids"
    path.write_text(f"a\n{line}\n")
    with pytest.raises(InputError, match="line 2 of the ids"):
        common.read_ids(str(path))


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match="byte 4"):
        common.read_text(str(tmp_path / "latin"))
    with pytest.raises(InputError, match="is a folder"):
        common.read_text(str(tmp_path))
    with pytest.raises(NotFoundError):
        common.read_text(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""), (False, ""), (True, "yes"), (0, "0"), (0.0, "0.000"), (0.12345, "0.123"), ("", ""),
        ("x\x1b", "x\\x1b"), ([1, "a"], "1, a"), ({"a": 0.5, "b": 2}, "a 0.500, b 2"),
    ],
)  # fmt: skip
def test_a_cell_as_people_read_it(value: object, cell: str) -> None:
    assert common.shown(value) == cell


def test_remarks_go_to_stderr_and_are_silent_with_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    common.talk("one\x1b")
    monkeypatch.setitem(common.state, "quiet", True)
    common.talk("two")
    assert capsys.readouterr() == ("", "one\\x1b\n")


def test_names_with_commas() -> None:
    assert common.split_names(" a, b ,,c ") == ["a", "b", "c"]


def test_many_records_are_summed_up_for_people_and_whole_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"id": str(n), "label": "ab"[n % 3 == 0], "confidence": 0.9 if n % 3 == 0 else 0.5} for n in range(300)]
    common.emit_stream(iter(records), ["id", "label", "confidence"], summary=common.by_label)
    assert capsys.readouterr().out.count("\n") == 300
    monkeypatch.setattr(common.sys.stdout, "isatty", lambda: True)
    common.emit_stream(iter(records), ["id", "label", "confidence"], summary=common.by_label)
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines() if line.strip()][-3:] == [
        *(["a", "200", "66.7%", "0.500"], ["b", "100", "33.3%", "0.900"], ["all", "300", "0.633"]),
    ]
    assert "--json" in said.err
    common.emit_stream(iter(records[:20]), ["id", "label", "confidence"], summary=common.by_label)
    assert "19" in capsys.readouterr().out.split()
