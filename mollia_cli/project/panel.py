"""The panel of a project: its members, as annotators that can be asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import chain, zip_longest
from pathlib import Path

from mollia_cli import models
from mollia_cli.annotators.base import Annotator, ModelFile, PanelContext
from mollia_cli.annotators.llama.binding.formats import COARSER
from mollia_cli.annotators.llama.binding.memory import available
from mollia_cli.annotators.llama.guard.build import Kernels
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.items import Item, content_id
from mollia_cli.domain.members import ENCODER, LLAMA, MemberSpec, check_distinct, options_of
from mollia_cli.domain.printable import count
from mollia_cli.domain.progress import step
from mollia_cli.domain.prompting import Decoding, Prompt, Shots
from mollia_cli.domain.settings import SETTINGS_FILE, UNDECIDED
from mollia_cli.project.context import Project
from mollia_cli.project.guidelines import GUIDELINES_FILE, read_guidelines
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.learner import run_config
from mollia_cli.project.members import certain, check_members, kind_of, labelling, llm_name
from mollia_cli.prompts import render
from mollia_cli.store.project_files import read_settings, write_panel

LOG_FILE = "llama.log"
ADDED = {"shots": "worked examples", "guidelines": "guidelines"}  # to the prompt, by the key of [annotate]


def project_prompt(project: Project) -> Prompt:
    """The project's prompt, from its template file, with guidelines, and worked examples for each half of the items.

    NotFoundError where guidelines are to be read and there are none.
    """
    settings = project.settings
    template, path = read_template(project)
    asked = project.question.words if project.question else ""
    prompt = render(template, settings.labels, settings.noun, settings.task_sentence, str(path), asked)
    if settings.annotate.guidelines is True:
        if not (guidelines := read_guidelines(project)):
            raise NotFoundError(
                f"annotate.guidelines is true, and {project.root / GUIDELINES_FILE} is missing or empty",
                "write it, or set annotate.guidelines = false",
            )
        prompt = prompt.with_guidelines(guidelines)
    shots, others = worked_examples(project)
    return replace(prompt, shots=shots, others=others)


def read_template(project: Project) -> tuple[str, Path]:
    """The prompt template and its file; one that is missing or no text raises NotFoundError or InputError."""
    path = Path(project.settings.annotate.template)
    path = path if path.is_absolute() else project.root / path
    try:
        return path.read_text(encoding="utf-8"), path
    except FileNotFoundError as error:
        raise NotFoundError(f"the prompt template {path} is missing", "write it, or set annotate.template") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the prompt template {path}: {error}", "save it as UTF-8 text") from error


def worked_examples(project: Project) -> tuple[Shots, Shots]:
    """The (text, label) that the one half of the items is read with, and those that the other half is.

    Equally many; fewer than the settings ask for where there are not enough labelled seeds.
    """
    wanted = max(0, project.settings.annotate.shots)
    if not wanted:
        return (), ()
    first, second = examples_in_turn(project)
    size = min(wanted, len(first), len(second))
    return first[:size], second[:size]


def say_few_examples(project: Project) -> None:
    """Where texts are about to be read with fewer worked examples than the settings ask for, say so once."""
    wanted, size = project.settings.annotate.shots, len(worked_examples(project)[0])
    if size < wanted:
        project.say_once(
            f"{count(size, 'worked example')} in the prompt instead of {wanted}: each half of the"
            " items is read with seeds of the other half, and there are no more of them"
            " (label some: mollia label --seed 50)"
        )


def examples_in_turn(project: Project) -> tuple[Shots, Shots]:
    """All labelled seeds in two halves: the first of every label, then the third, ...; and the second, the fourth, ...

    Later seeds change nothing before them.
    """
    by_label: list[list[tuple[str, str]]] = [[] for _ in project.labels.names]
    for item in project.store.items.in_split("seed", labelled=True):
        assert item.label is not None
        by_label[item.label].append((item.text, project.labels.names[item.label]))
    turns = [[shot for shot in turn if shot is not None] for turn in zip_longest(*by_label)]
    return tuple(chain.from_iterable(turns[::2])), tuple(chain.from_iterable(turns[1::2]))


def undecided(project: Project) -> list[str]:
    """The keys of ``[annotate]`` that are still to be chosen on the seeds; guidelines, where there are some."""
    return [key for key in left_to_seeds(project) if key != "guidelines" or read_guidelines(project)]


def left_to_seeds(project: Project) -> list[str]:
    """The keys of ``[annotate]`` that ``mollia.toml`` leaves to the seeds; without a choice they are as the paper's."""
    return [key for key, value in UNDECIDED.items() if getattr(project.settings.annotate, key) == value]


def panel_members(project: Project) -> tuple[MemberSpec, ...]:
    """The panel's members, who label; none raises NotFoundError that names the LLMs that are installed."""
    if project.panel:
        return project.panel
    if installed := models.installed_names("llm"):
        raise NotFoundError("the panel is empty", f"mollia panel add {' '.join(installed)}, or some of them")
    raise NotFoundError(
        "the panel is empty, and no LLM is installed",
        "mollia models pull smollm2-135m-instruct, then mollia panel add smollm2-135m-instruct",
    )


def labelled_by(project: Project, run: str) -> Project:
    """The project with the members that label for a run; with its own where there is no such run yet."""
    config = run_config(project, run)
    return project.with_panel(labelling(project.settings, config.annotator, config.replay))


def observing(project: Project) -> Project:
    """The project with a panel that observes: that of the settings, where who labels knows the labels."""
    return project.with_panel(project.settings.panel.members) if certain(project.panel) else project


def panel_annotators(project: Project, only: Sequence[str] = (), show_invalid: int = 0) -> list[Annotator]:
    """The panel as annotators, in the order of the settings; ``only`` restricts it to some names.

    ``show_invalid``: of each text, so many answers that are no label are kept with their words.
    NotFoundError where there is none.
    """
    members = panel_members(project)
    check_members(members)
    context = panel_context(project, show_invalid)
    panel = [annotator for spec in members for annotator in annotators_of(spec, context)]
    if not panel:
        raise NotFoundError(
            f"the panel holds {count(len(members), 'encoder')} and nobody who labels",
            "add an LLM: mollia panel add smollm2-135m-instruct; to learn from the gold labels alone: mollia train",
        )
    names = [annotator.name for annotator in panel]
    check_distinct(names, "the panel")
    check_names(only, names)
    return [annotator for annotator in panel if not only or annotator.name in only]


def panel_context(project: Project, show_invalid: int = 0) -> PanelContext:
    """What the project's annotators are made from."""
    settings = project.settings.annotate
    return PanelContext(
        folder=project.folder,
        labels=project.labels,
        prompt=cache(lambda: project_prompt(project)),
        decoding=Decoding(
            settings.votes, settings.samples, settings.temperature, settings.top_p, project.settings.random_seed
        ),
        threads=settings.threads,
        tokens=settings.context,
        long=settings.long,
        log_path=project.root / LOG_FILE,
        show_invalid=show_invalid,
        find_llm=partial(_find_llm, project),
        ask=project.ask,
        recall=project.store.observations.last_identity,
        mixed=settings.mixed,
    )


def _find_llm(project: Project, written: str) -> ModelFile:
    file = llm_file(project, MemberSpec(written))

    def kernels() -> Kernels:
        with step(project.progress, f"checking {file.name}"):
            return file_kernels(file, project.say)

    return ModelFile(file.name, file.path, file.sha256, kernels)


def annotators_of(spec: MemberSpec, context: PanelContext) -> Sequence[Annotator]:
    """What is written down as a member, made; several where the spec has no name."""
    kind = kind_of(spec)
    return kind.from_spec(spec.name, options_of(spec, kind.Options), context)


def check_names(wanted: Sequence[str], panel: Sequence[str]) -> None:
    """InputError for the first name that is not one of the panel's."""
    for name in wanted:
        if name not in panel:
            raise InputError(f"{name!r} is not in the panel", f"panel: {', '.join(panel)}")


def writing_llm(project: Project, name: str = "") -> models.ModelFile:
    """The panel's LLM that writes texts: ``name``, or by default its largest file. InputError if not in the panel."""
    llms = [spec for spec in panel_members(observing(project)) if spec.kind == LLAMA]
    if not llms:
        raise InputError("the panel holds no LLM that could write", "mollia panel add smollm2-135m-instruct")
    files = [llm_file(project, spec) for spec in llms]
    if not name:
        return max(files, key=lambda file: file.path.stat().st_size)
    by_name = {file.name: file for file in files}
    check_names([name], list(by_name))
    return by_name[name]


def llm_file(project: Project, spec: MemberSpec) -> models.ModelFile:
    """The file of a member that is an LLM, under the name that the panel calls it."""
    file = models.resolve_llm(llm_name(spec, project.folder))
    return replace(file, name=spec.name) if spec.options else file


def tuned_copy(name: str, coarser: bool = False) -> str:
    """The name of the copy that ``mollia models tune`` made of an installed LLM, or ''."""
    copies = [copy.name for copy in models.tuned_copies(models.resolve_llm(name))]
    return next((copy for copy in copies if (copy.rpartition(".")[2].upper() in COARSER) == coarser), "")


def fit_together(annotators: Sequence[Annotator]) -> bool:
    """Whether the files of all of them fit into half of the free memory."""
    free = available()
    return free is not None and 2 * sum(annotator.size for annotator in annotators) <= free


def new_member(name: str) -> MemberSpec:
    """The member that is written down for a model's name, a GGUF file or an encoder's folder."""
    if not models.looks_like_path(name):
        return (
            MemberSpec(name, ENCODER)
            if name in {row.name for row in models.list_models("encoder")}
            else MemberSpec(models.check_name(name, "llm"))
        )
    path = Path(name).expanduser().absolute()
    if path.is_dir():
        return MemberSpec(path.name, ENCODER, {"model": str(models.resolve_encoder(str(path)))})
    return MemberSpec(str(models.resolve_llm(name).path))


def change_panel(project: Project, add: Sequence[str] = (), remove: Sequence[str] = ()) -> tuple[MemberSpec, ...]:
    """Add LLMs and encoders to the panel or take members out of it, in ``mollia.toml``; returns the new panel."""
    members = list(project.settings.panel.members)
    for name in add:
        entry = new_member(name)
        if entry not in members:
            members.append(entry)
    for name in remove:
        found = [member for member in members if member.name == name or Path(member.name).stem == name]
        if not found:
            listed = ", ".join(member.name for member in members) or "empty"
            raise InputError(f"{name!r} is not in the panel", f"panel: {listed}")
        members.remove(found[0])
    return _write(project, members)


def add_server(project: Project, name: str, kind: str, options: Mapping[str, str]) -> tuple[MemberSpec, ...]:
    """Add an LLM behind a server to the panel, in ``mollia.toml``; the server is not asked. Returns the new panel."""
    member = MemberSpec(name, kind, options)
    check_members([member], "panel add")
    annotators_of(member, panel_context(project))  # an address that is none is refused
    members = [*project.settings.panel.members, member]
    check_distinct([each.name for each in members], "panel.members")
    return _write(project, members)


def _write(project: Project, members: Sequence[MemberSpec]) -> tuple[MemberSpec, ...]:
    check_members(members)
    write_panel(project.root / SETTINGS_FILE, members)
    project.settings = read_settings(project.root / SETTINGS_FILE)
    return tuple(members)


def preview(project: Project, item_id: str = "", text: str = "", only: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """(name, what it will see) for each LLM of the panel; of an item, of any text, or of the pool's first item."""
    shown = [] if text else [item_id] if item_id else project.store.items.ids("pool")[:1]
    text = text or "(the text)"
    item = project.store.items.get(shown)[0] if shown else Item(content_id(text), text)
    for key in undecided(project):
        project.say(f"annotate.{key} is {UNDECIDED[key]}, and nothing is chosen yet: shown without any {ADDED[key]}")
    say_few_examples(project)
    if any(worked_examples(project)):
        project.say("half of the texts are read with these worked examples, the other half with as many others")
    for annotator in panel_annotators(project, only):
        try:
            yield annotator.name, annotator.preview(item)
        finally:
            annotator.close()
