"""An open project: its settings, its store, and how it talks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from mollia_cli.annotators.base import Annotator
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.memory import Peak
from mollia_cli.domain.observations import Texts
from mollia_cli.domain.progress import Progress, silent
from mollia_cli.domain.questions import ANSWERS, Question
from mollia_cli.domain.settings import SETTINGS_FILE, AnnotateSettings, Settings, checked
from mollia_cli.engines.base import Engine
from mollia_cli.project.members import check_members
from mollia_cli.project.names import check_choices, check_settings, remarks_on
from mollia_cli.store.database import Say
from mollia_cli.store.lock import locked
from mollia_cli.store.project_files import find_root, read_settings
from mollia_cli.store.store import Store


class Project(AbstractContextManager["Project"]):
    """A project folder, open. ``say`` receives remarks for people, ``progress`` the state of long work.

    ``ask`` puts a question to a person.
    """

    def __init__(self, root: Path, settings: Settings, store: Store) -> None:
        self.root = root
        self.folder = root  # that relative paths in the settings are of
        self.settings = settings
        self.store = store
        self.say: Say = _unheard
        self.progress: Progress = silent
        self.loaded: dict[str, tuple[Annotator, Peak]] | None = None  # by key, while models are kept loaded
        self.engines: dict[tuple[str, str, int], Engine] | None = None  # at most one, see project/workers.py
        self.ask: Callable[[str], str] = _nobody
        self._said: set[str] = set()
        self.texts: dict[tuple[str | int, ...], Texts] = {}  # what the panel's encoders read, by who they are
        self.counted: set[str] = set()  # encoders of which it was looked how many texts they cut
        self._held: set[str] = set()  # runs
        self.may_ask = True  # False: an LLM that would have to be asked is an error
        self._repeat = 1  # of the run that sees the project
        self._panel: tuple[MemberSpec, ...] | None = None  # that labels instead of the settings'
        self.question: Question | None = None  # that the project is seen by, where its texts have several labels

    @classmethod
    def open(cls, folder: Path | None = None, say: Say | None = None, changing_labels: bool = False) -> Self:
        """``open_any`` for who knows of texts with one label only: of several, RefusedError."""
        project = cls.open_any(folder, say, changing_labels)
        if project.settings.multilabel:
            project.store.close()
            raise RefusedError(
                f"{project.root} is a project whose texts may have several labels, which this is not for yet",
                "mollia annotate, aggregate, evaluate, export labels; docs/multilabel.md says what is still to come",
            )
        return project

    @classmethod
    def open_any(cls, folder: Path | None = None, say: Say | None = None, changing_labels: bool = False) -> Self:
        """The project in ``folder``, else of ``MOLLIA_PROJECT``, else in the nearest parent of here.

        A name in its settings that is no member of its family raises InputError, as do labels that are not those of
        what is stored, unless it is opened for ``changing_labels``. Models that are not on this machine are no matter
        here: `mollia status` names them, and what needs one says so; ``say`` hears of names that nothing has.
        """
        root = find_root(folder)
        settings = read_settings(root / SETTINGS_FILE)
        check_settings(settings, str(root / SETTINGS_FILE))
        check_members(settings.panel.members, f"{root / SETTINGS_FILE}: panel.members")
        several = settings.multilabel
        store = Store(root, settings.labels, say=say or _unheard, changing=changing_labels, several=several)
        project = cls(root, settings, store)
        project.say = say or _unheard
        for remark in remarks_on(settings, root):
            project.say(remark)
        return project

    def say_once(self, remark: str) -> None:
        """Say what holds for as long as the project is open, and comes up again and again."""
        if remark not in self._said:
            self._said.add(remark)
            self.say(remark)

    def use_threads(self, threads: int) -> None:
        """Set the threads of annotation and training for as long as the project is open."""
        settings = self.settings
        self.settings = replace(
            settings,
            annotate=replace(settings.annotate, threads=threads),
            learner=replace(settings.learner, threads=threads),
        )

    def use_annotation(self, **changes: Any) -> None:
        """Ask the LLMs otherwise than the settings say, for as long as the project is open.

        changes: fields of AnnotateSettings; None is as the settings say, a value beyond its limits an InputError.
        """
        given = {key: value for key, value in changes.items() if value is not None}
        asked = replace(self.settings.annotate, **checked(given, AnnotateSettings, "annotate"))
        check_choices(asked, "annotate")
        self.settings = replace(self.settings, annotate=asked)

    def seen_by_run(self, settings: Settings, repeat: int) -> Self:
        """The same open project with a run's settings, and the random streams of its repeat."""
        seen = copy(self)
        seen.settings, seen._repeat = settings, repeat
        return seen

    def asking(self, question: Question) -> Self:
        """The same open project as the yes/no question of one of its labels sees it."""
        seen = copy(self)
        seen.question, seen.settings = question, replace(self.settings, labels=ANSWERS)
        seen.store = self.store.asking(question)
        return seen

    def with_panel(self, members: tuple[MemberSpec, ...]) -> Self:
        """The same open project with other members, who label instead of the panel of the settings."""
        seen = copy(self)
        seen._panel = members
        return seen

    @property
    def panel(self) -> tuple[MemberSpec, ...]:
        """Who labels."""
        return self.settings.panel.members if self._panel is None else self._panel

    @property
    def own_streams(self) -> tuple[int, ...]:
        """What the name of a random stream ends with of which every repeat of a run has its own."""
        return (self._repeat,) if self._repeat > 1 else ()

    @contextmanager
    def hold(self, run: str) -> Iterator[None]:
        """Within, no other process makes rounds of a run. Raises RefusedError that names the process that does."""
        if run in self._held:
            yield
            return
        with locked(self.root / f".{quote(run, safe='')}.lock", f"run {run!r}", self.say):
            self._held.add(run)
            try:
                yield
            finally:
                self._held.remove(run)

    @property
    def labels(self) -> LabelSet:
        """The label set."""
        return self.settings.labels

    @property
    def models_folder(self) -> Path:
        """Where the trained models of the runs are kept."""
        return self.root / "models"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()


def _unheard(remark: str) -> None:
    pass


def _nobody(question: str) -> str:
    raise RefusedError("a label is needed and nobody can be asked", "run it in a terminal, or use the panel")
