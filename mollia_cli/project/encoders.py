"""The panel's encoders: what they make of the project's texts, each read once."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mollia_cli import models
from mollia_cli.domain.members import ENCODER, MemberSpec
from mollia_cli.domain.observations import Texts
from mollia_cli.domain.progress import step
from mollia_cli.project.context import Project
from mollia_cli.project.learner import EMBEDDINGS
from mollia_cli.project.members import encoder_name

if TYPE_CHECKING:
    from mollia_cli.learners.frozen import FrozenEncoder

_COUNTED = 2000  # texts whose tokens are counted before an encoder reads


def encoder_specs(project: Project) -> list[MemberSpec]:
    """The panel's members that are encoders. Stored outputs that stand for the LLMs leave them where they are."""
    return [spec for spec in project.settings.panel.members if spec.kind == ENCODER]


def panel_texts(project: Project) -> Texts | None:
    """The panel's encoders for an aggregator that looks at texts; None where it has none. Nothing is loaded yet."""
    by_name = {spec.name: spec for spec in encoder_specs(project)}
    folders = [encoder_name(spec, project.folder) for spec in by_name.values()]
    key: tuple[str | int, ...] = (*by_name, *folders, project.settings.learner.max_tokens)
    if key in project.texts or not by_name:
        return project.texts.get(key)

    def read(name: str, ids: Sequence[str]) -> Any:
        texts = [item.text for item in project.store.items.get(ids)]
        encoder = frozen_encoder(project, by_name[name])
        say_of_length(project, name, encoder.longer)
        try:
            return encoder.thirds(texts, project.progress)
        finally:
            encoder.close()

    return project.texts.setdefault(key, Texts(tuple(by_name), read))


def say_of_length(project: Project, encoder: str, longer: Callable[[Sequence[str]], int]) -> None:
    """Say before an encoder reads how many texts it cuts; of a large pool the first are counted. Once for each.

    longer: how many of some texts are cut.
    """
    ids = project.store.items.ids("pool", limit=_COUNTED) or project.store.items.ids("seed", limit=_COUNTED)
    if encoder in project.counted or not ids:
        return
    project.counted.add(encoder)
    if cut := longer([item.text for item in project.store.items.get(ids)]):
        most = project.settings.learner.max_tokens
        project.say(
            f"{encoder}: {cut} of {len(ids)} texts have more than {most} tokens, and what is behind those is not read"
            " (learner.max_tokens in mollia.toml; docs/models.md says what encoders take)"
        )


def encoder_digests(project: Project) -> dict[str, str]:
    """What the embeddings of each of the panel's encoders depend on, by its name."""
    encoders = {spec.name: frozen_encoder(project, spec) for spec in encoder_specs(project)}
    with step(project.progress, f"reading the weights of {', '.join(encoders)}"):
        return {name: encoder.identity for name, encoder in encoders.items()}


def frozen_encoder(project: Project, spec: MemberSpec) -> "FrozenEncoder":
    """A member that is an encoder; its weights are loaded when a text has to be read."""
    settings = project.settings.learner
    folder = models.resolve_encoder(encoder_name(spec, project.folder))
    with step(project.progress, f"loading {spec.name}"):
        return _loaded(folder, settings.max_tokens, settings.threads, project.root / EMBEDDINGS)


@lru_cache(maxsize=8)
def _loaded(folder: Path, max_tokens: int, threads: int, keep: Path) -> "FrozenEncoder":
    """One for each encoder and project: its weights' digest takes a second."""
    from mollia_cli.learners.frozen import FrozenEncoder  # torch takes seconds

    return FrozenEncoder.open(folder, max_tokens, threads=threads, keep=keep)
