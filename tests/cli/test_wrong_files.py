"""Files that are not what they seem, as typed: what is wrong, what to type next, and the exit status."""

import gzip
from pathlib import Path

import pytest
from typed import typed

from mollia_cli.domain.errors import InputError
from mollia_cli.project.create import parse_label_file


def mollia(folder: Path, *arguments: str, code: int) -> str:
    """What a command says on stderr."""
    done = typed(folder, *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    mollia(made, "init", "p", "--labels", "a,b", code=0)
    (made / "good.csv").write_text("text,label,author\none,a,Ann\ntwo,b,Ben\n")
    mollia(made, "import", "-p", "p", "good.csv", "--split", "seed", code=0)
    return made


WRONG = {
    "CSV as .xlsx": (b"text,label\none,a\n", "x.xlsx", "x.xlsx is called .xlsx and is none", "--format csv", 2),
    "a program": (b"\x7fELF" + bytes(99), "x.csv", "x.csv is a binary file, not text", "give a file of texts", 2),
    "a header alone": (
        b"text,label\n",
        "x.csv",
        "x.csv, read as csv, has no row below its header",
        "check the file",
        2,
    ),
    "cut gzip": (gzip.compress(b"text\na\n")[:-9], "x.csv.gz", "x.csv.gz is compressed with gzip", "is it whole?", 2),
    "an address": (b"", "https://example.org/a.csv", "https://example.org/a.csv is an address", "curl -LO", 2),
    "ids as text": (b"article_id,n\nthe words here,1\n", "x.csv", "no column looks like the text", "--text-column", 2),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_named_with_what_to_type(folder: Path, case: str) -> None:
    data, name, message, hint, code = WRONG[case]
    if "://" not in name:
        (folder / name).write_bytes(data)
    error = mollia(folder, "import", "-p", "p", name, code=code)
    assert f"mollia: {message}" in error or f"mollia: {name}: {message}" in error
    [tried] = [line for line in error.splitlines() if line.startswith("  try: ")]
    assert hint in tried


@pytest.mark.parametrize(
    ("arguments", "named", "hint"),
    [
        (["export", "labels", "-o", "nowhere/out.csv"], "nowhere/out.csv: No such file", "mkdir -p"),
        (["export", "labels", "-o", "p"], "p: Is a directory", "give another path"),
        (["export", "dataset", "-o", "good.csv/set"], "good.csv: File exists", "give another path"),
    ],
)
def test_a_target_that_cannot_be_written_ends_with_3(folder: Path, arguments: list[str], named: str, hint: str) -> None:
    error = mollia(folder, *arguments, "-p", "p", code=3)
    assert f"mollia: {named}" in error
    assert hint in error


def test_what_is_taken_and_kept_is_said(folder: Path) -> None:
    (folder / "news.csv").write_text("article_id;Wire Copy;date\n1;a storm came over the city;2026-11-21\n")
    error = mollia(folder, "import", "-p", "p", "news.csv", code=0)
    assert "news.csv: columns are separated by semicolons" in error
    assert "text = column 'Wire Copy' (the longest texts); other columns: 'article_id', 'date'" in error


def test_where_is_typed_as_users_expect(folder: Path) -> None:
    assert "1 label written" in mollia(folder, "export", "labels", "-p", "p", "--where", "author=Ann", code=0)
    error = mollia(folder, "export", "labels", "-p", "p", "--where", "autor=Ann", code=2)
    assert "no item has a column 'autor'" in error


LABELS = ("human", "location"), ("people and groups", "places, anywhere")


@pytest.mark.parametrize(
    "text",
    [
        'human,people and groups\nlocation,"places, anywhere"\n',
        "human;people and groups\nlocation;places, anywhere\n",
        "human\tpeople and groups\nlocation\tplaces, anywhere\n",
        "label;description\nhuman;people and groups\nlocation;places, anywhere\n",
        'Description,Label\npeople and groups,human\n"places, anywhere",location\n',
        "description;label\r\npeople and groups;human\r\nplaces, anywhere;location\r\n",
        'id,label,description\n1,human,people and groups\n2,location,"places, anywhere"\n',
    ],
)
def test_labels_in_any_order_and_with_any_separator(text: str) -> None:
    found = parse_label_file(text, "labels.csv")
    assert (found.names, found.descriptions) == LABELS


@pytest.mark.parametrize("text", ["human\nlocation\n", "label\nhuman\nlocation\n", "human,\nlocation,\n"])
def test_labels_alone(text: str) -> None:
    assert parse_label_file(text, "labels.csv").names == LABELS[0]


def test_the_separator_of_a_labels_file_is_said() -> None:
    said: list[str] = []
    parse_label_file("human;people\nlocation;places\n", "labels.csv", said.append)
    assert said == ["labels.csv: columns are separated by semicolons"]


def test_swapped_columns_of_labels(folder: Path) -> None:
    (folder / "labels.csv").write_text("people and groups of people,human\nplaces in the world,location\n")
    error = mollia(folder, "init", "q", "--labels-from", "labels.csv", code=2)
    assert "the first column looks like descriptions ('people and groups of people'), the second like labels" in error
    assert "  try: put the labels first, or a header above them: description,label" in error
    assert not (folder / "q").exists()


def test_a_description_with_an_unquoted_comma_is_not_cut() -> None:
    with pytest.raises(InputError, match=r"line 2 has 3 cells, not a label and a description") as caught:
        parse_label_file("human,people\nlocation,places, anywhere\n", "labels.csv")
    assert "in quotes" in caught.value.hint
