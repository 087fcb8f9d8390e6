"""How many texts are longer than what reads them takes is reported before they are read."""

from collections.abc import Callable, Sequence

import pytest
from doubles import FakeLLM, TinyLearner
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.project.observe import annotate
from mollia_cli.store.project_files import read_settings

MakeProject = Callable[..., Project]


@pytest.fixture
def short_sighted(fake_llm: type[FakeLLM], monkeypatch: pytest.MonkeyPatch) -> type[FakeLLM]:
    """An LLM for which two of any items are too long."""
    monkeypatch.setattr(fake_llm, "longer", lambda self, items: min(2, len(items)))
    return fake_llm


@pytest.mark.parametrize(
    ("long", "rest"),
    [
        ("head-tail", "the middle of each is left out"),
        ("head", "only the beginning of each is read"),
        ("split", "each is read in parts, and what it says of them is joined"),
    ],
)
def test_what_does_not_fit_is_reported_first(
    make_project: MakeProject, short_sighted: type[FakeLLM], long: str, rest: str
) -> None:
    project = make_project()
    project.use_annotation(long=long)
    asked: list[tuple[str, int]] = []
    project.say = lambda remark: asked.append((remark, len(short_sighted.asked)))
    ids = project.store.items.ids("pool")[:5]
    annotate(project, ids)
    annotate(project, ids)  # all of it is stored
    ((remark, before),) = asked
    assert before == 0 and len(short_sighted.asked) == 5
    assert remark.startswith(f"fake-llm: 2 of 5 texts are longer than its context has room for: {rest}")
    assert ("split" in remark.partition(rest)[2]) is (long != "split")


def test_on_the_command_line(make_project: MakeProject, short_sighted: type[FakeLLM]) -> None:
    root = make_project().root
    typed = ["annotate", "--split", "pool", "--limit", "3", "-p", str(root), "--long"]
    done = CliRunner().invoke(app, [*typed, "split"])
    assert done.exit_code == 0 and "each is read in parts" in done.stderr
    wrong = CliRunner().invoke(app, [*typed, "middle"]).exception
    assert isinstance(wrong, InputError) and "one of: head-tail, head, split" in wrong.hint
    assert read_settings(root / "mollia.toml").annotate.long == "head-tail"  # it holds for one command


def test_what_an_encoder_cuts_is_reported_once(
    make_project: MakeProject, tiny_learner: type[TinyLearner], monkeypatch: pytest.MonkeyPatch
) -> None:
    def longer(self: TinyLearner, texts: Sequence[str]) -> int:
        return sum(text.startswith("very") for text in texts)

    monkeypatch.setattr(tiny_learner, "longer", longer)
    project = make_project()
    with project.store.transaction():
        project.store.items.add([Item(f"l{n}", f"very long {n}", "pool") for n in range(3)], "more")
    said: list[str] = []
    project.say = said.append
    for run in ("a", "b"):
        run_rounds(project, *open_run(project, run, rounds=0), 0)
    (remark,) = (remark for remark in said if "tokens" in remark)
    assert ": 3 of 43 texts have more than 128 tokens, and what is behind those is not read (learner.max" in remark
