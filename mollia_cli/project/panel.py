"""The panel of a project: its members, as annotators that can be asked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import islice, zip_longest
from pathlib import Path

from mollia_cli import models
from mollia_cli.annotators.base import Annotator, ModelFile, PanelContext
from mollia_cli.annotators.llama.binding.formats import COARSER
from mollia_cli.annotators.llama.binding.memory import available
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.members import LLAMA, MemberSpec, check_distinct, options_of
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.domain.settings import SETTINGS_FILE
from mollia_cli.project.context import Project
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.learner import run_config
from mollia_cli.project.members import certain, check_members, kind_of, labelling, llm_name
from mollia_cli.prompts import render
from mollia_cli.store.project_files import read_settings, write_panel

LOG_FILE = "llama.log"


def project_prompt(project: Project) -> Prompt:
    """The project's prompt, from its template file."""
    settings = project.settings
    template, path = read_template(project)
    shots = [(item.text, settings.labels.names[item.label]) for item in shot_items(project) if item.label is not None]
    return render(template, settings.labels, settings.noun, settings.task_sentence, shots, str(path))


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


def shot_items(project: Project) -> list[Item]:
    """The seed items that stand in the prompt: the first of every label, then the second of every label, ...

    An LLM has read their labels, so the aggregator must not learn from what it says of them.
    """
    by_label: list[list[Item]] = [[] for _ in project.labels.names]
    for item in project.store.items.in_split("seed") if project.settings.annotate.shots else []:
        if item.label is not None:
            by_label[item.label].append(item)
    turns = (item for turn in zip_longest(*by_label) for item in turn if item is not None)
    return list(islice(turns, project.settings.annotate.shots))


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
    """
    members = panel_members(project)
    check_members(members)
    context = panel_context(project, show_invalid)
    panel = [annotator for spec in members for annotator in annotators_of(spec, context)]
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
        log_path=project.root / LOG_FILE,
        show_invalid=show_invalid,
        find_llm=partial(_find_llm, project),
        ask=project.ask,
    )


def _find_llm(project: Project, written: str) -> ModelFile:
    file = llm_file(project, MemberSpec(written))
    return ModelFile(file.name, file.path, file.sha256, partial(file_kernels, file, project.say))


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


def change_panel(project: Project, add: Sequence[str] = (), remove: Sequence[str] = ()) -> tuple[MemberSpec, ...]:
    """Add LLMs to the panel or take members out of it, in ``mollia.toml``; returns the new panel."""
    members = list(project.settings.panel.members)
    for name in add:
        path = models.looks_like_path(name)
        entry = MemberSpec(str(models.resolve_llm(name).path) if path else models.check_name(name, "llm"))
        if entry not in members:
            members.append(entry)
    for name in remove:
        found = [member for member in members if member.name == name or Path(member.name).stem == name]
        if not found:
            listed = ", ".join(member.name for member in members) or "empty"
            raise InputError(f"{name!r} is not in the panel", f"panel: {listed}")
        members.remove(found[0])
    check_members(members)
    write_panel(project.root / SETTINGS_FILE, members)
    project.settings = read_settings(project.root / SETTINGS_FILE)
    return tuple(members)


def preview(project: Project, item_id: str = "", text: str = "", only: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """(name, what it will see) for each LLM of the panel; of an item, of any text, or of the pool's first item."""
    if not text:
        pool = [item_id] if item_id else project.store.items.ids("pool")[:1]
        text = project.store.items.get(pool)[0].text if pool else "(the text)"
    for annotator in panel_annotators(project, only):
        try:
            yield annotator.name, annotator.preview(text)
        finally:
            annotator.close()
