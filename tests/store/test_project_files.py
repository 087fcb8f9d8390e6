"""mollia.toml: written, read, edited; and finding a project."""

from pathlib import Path

import pytest

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.settings import LearnerSettings, PanelSettings, Settings, parse_settings
from mollia_cli.store.project_files import find_root, read_settings, write_panel, write_settings

PANEL = PanelSettings(
    (MemberSpec("one"), MemberSpec("/two.gguf"), MemberSpec("lab", "replay", {"file": "x.npy", "llm": "llm2"}))
)
ODD = LabelSet(("a b", "x.y", 'say "hi"', "ünï", "#1"), ("", "dots", "quotes", "", "hash"))


def test_settings_survive_writing_and_reading(tmp_path: Path) -> None:
    settings = Settings(ODD, "review", 'Say "yes".', 7, PANEL, learner=LearnerSettings("x", "enc", 64))
    write_settings(tmp_path / "mollia.toml", settings)
    assert read_settings(tmp_path / "mollia.toml") == settings


def test_every_key_stands_below_its_remark_and_its_choices(tmp_path: Path, labels: LabelSet) -> None:
    path = tmp_path / "mollia.toml"
    write_settings(path, Settings(labels), lambda key: ("one", "two") if key.family else ())
    lines = path.read_text().splitlines()
    for old, remark in (
        ("batch = 50", "# Items a round (a whole number, 1 or more)."),
        ('votes = "sampled"', "one of: sampled, exact)."),
        ('strategy = "random"', "one of: one, two, or another package's)."),
        ("random_seed = 0", "# The same random seed gives the same run"),
    ):
        assert remark in lines[lines.index(old) - 1]
    assert all(len(line) <= 120 for line in lines)


def test_the_panel_is_edited_in_place(tmp_path: Path, labels: LabelSet) -> None:
    path = tmp_path / "mollia.toml"
    write_settings(path, Settings(labels))
    path.write_text(path.read_text() + "\n# my own remark\n")
    write_panel(path, PANEL.members)
    assert "# my own remark" in path.read_text()
    assert read_settings(path).panel == PANEL


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("nuon = 'x'", "unknown key nuon"),
        ("[panel]\nmodles = []", "unknown key panel.modles"),
        ("[annotate]\nsamples = 0", "annotate.samples is 0"),
        ("[annotate]\nvotes = 'many'", "annotate.votes is 'many'"),
        ("[annotate]\nsamples = '10'", "annotate.samples is '10'"),
        ("[learner]\nepochs = true", "learner.epochs is True"),
        ("[run]\nalpha = 2", "run.alpha is 2"),
        ("panel = 3", "'panel' must be a section"),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path: Path, line: str, named: str) -> None:
    path = tmp_path / "mollia.toml"
    labels = "[labels]\na = ''\nb = ''\n"
    path.write_text(f"{labels}{line}\n" if line.startswith("[") else f"{line}\n{labels}")
    with pytest.raises(InputError) as caught:
        read_settings(path)
    assert named in caught.value.message
    assert str(path) in caught.value.message


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(InputError) as caught:
        parse_settings({"labels": {"a": "", "b": ""}, "learner": {"epoch": 3}})
    assert "learner.epochs" in caught.value.hint


def test_whole_numbers_are_accepted_as_numbers() -> None:
    assert parse_settings({"labels": {"a": "", "b": ""}, "run": {"alpha": 1}}).run.alpha == 1.0


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "mollia.toml"
    path.write_text("[labels]\na = \n")
    with pytest.raises(InputError, match="line 2"):
        read_settings(path)


def test_the_nearest_parent_is_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOLLIA_PROJECT", raising=False)
    (tmp_path / "mollia.toml").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert find_root(None) == tmp_path.resolve()
    other = tmp_path / "a"
    (other / "mollia.toml").touch()
    monkeypatch.setenv("MOLLIA_PROJECT", str(tmp_path))
    assert find_root(None) == tmp_path.resolve()
    assert find_root(other) == other.resolve()


def test_no_project_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOLLIA_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError) as caught:
        find_root(None)
    assert "mollia init" in caught.value.hint
