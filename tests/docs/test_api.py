"""docs/api.md does what it says, and importing the API is light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mollia_cli
from mollia_cli import Project
from mollia_cli.domain.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.proof
def test_every_block_runs(
    test_llm: Path,
    test_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert printed.startswith("12 20\n('smollm2-135m-instruct',) (22, 1, 3)\n")
    assert "round 0\nround 1\n0 12\n1 17\n(2, 3) ['" in printed
    assert (tmp_path / "labels.csv").read_text().count("\n") == len(names["rows"]) + 1
    assert (tmp_path / "classifier" / "model.safetensors").is_file()


def test_the_page_names_every_method() -> None:
    own = {name for name, value in vars(Project).items() if not name.startswith("_") and callable(value)}
    own |= {"create"}
    listed = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8").split("All methods:")[1]))
    assert own <= listed
    assert all(getattr(Project, name).__doc__ for name in own)
    assert all(hasattr(Project, name) for name in listed - {"settings", "store"})


def test_importing_it_is_lazy() -> None:
    program = "import sys, mollia_cli; print('numpy' in sys.modules); mollia_cli.Project; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    with pytest.raises(AttributeError, match="nothing"):
        _ = mollia_cli.nothing


def test_mistakes_in_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"learner\.epoch"):
        Project.create(tmp_path / "p", ["a", "b"], settings={"learner": {"epoch": 3}})
    with pytest.raises(InputError, match="split"):
        Project.create(tmp_path / "q", ["a", "b"]).import_([{"text": "x"}], "train")


def test_items_are_selected_by_their_columns_and_moved(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", ["a", "b"]) as project:
        project.import_([{"text": "one", "author": "Ann"}, {"text": "two", "author": "Ben"}])
        [pick] = project.select("random", 5, where=["author=Ann"])
        assert project.move([pick.id], "test").items == {"pool": 1}
        assert project.store.items.ids("test") == [pick.id]
