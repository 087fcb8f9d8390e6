"""``mollia models tune``: the fastest encoding of an LLM on this machine, installed as a model of its own."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mollia_cli import models
from mollia_cli.annotators.llama.tuning import Encoding, TextSample, Tuned, explain, tune
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.rng import stream
from mollia_cli.machine import demo
from mollia_cli.models.home import home
from mollia_cli.project.context import Project
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.panel import LOG_FILE, project_prompt, tuned_copy
from mollia_cli.prompts import builtin_template, render

SAMPLE_TEXTS = 100  # texts on which a change in label probabilities is measured


@dataclass(frozen=True, slots=True)
class Tuning:
    """What became of one model. ``use``: the name to put into a panel; ``found`` is None where nothing was measured."""

    model: str
    use: str
    says: str
    found: Tuned | None = None

    def record(self) -> dict[str, Any]:
        """It all as one JSON-ready object."""
        facts: dict[str, Any] = {"model": self.model, "use": self.use, "says": self.says}
        if self.found is None:
            return facts
        return facts | {
            "original": _encoding(self.found.original),
            "best": _encoding(self.found.best),
            "gain": self.found.gain,
            "keeps_values": self.found.keeps_values,
            "layer_speeds": self.found.layer_speeds,
            "skipped": self.found.skipped,
            "threads": self.found.threads,
            "change": asdict(self.found.change) if self.found.change else None,
        }


def tune_model(
    name: str,
    project: Project | None = None,
    *,
    coarser: bool = False,
    threads: int = 0,
    say: Callable[[str], None] = lambda remark: None,
) -> Tuning:
    """Measure encodings of an installed LLM and install the fastest as NAME.FORMAT, if that is not the original.

    With a project, what it does to label probabilities is measured on texts of its pool; a coarser one, without a
    project, on the messages that ship with mollia. Nothing is done where a tuned copy is installed already. Raises
    InputError for a path instead of a name.
    """
    if models.looks_like_path(name):
        raise InputError(f"{name} is a file: only installed models are tuned", f"mollia models add {name}")
    model = models.resolve_llm(name)
    present = tuned_copy(name, coarser)
    if present:
        return Tuning(name, present, f"is tuned already, as {present}")
    kernels = file_kernels(model, say)
    sample = project_sample(project) if project else demo_sample() if coarser else None
    with models.tuning_folder() as folder:
        found = tune(
            model.path,
            folder,
            coarser=coarser,
            sample=sample,
            threads=threads,
            extra_buffers=kernels.extra_buffers,
            log_path=home() / LOG_FILE,
            say=say,
        )
        best = found.best
        if best is found.original:
            return Tuning(name, name, explain(found), found)
        use = models.install_tuned(best.path, best.format, model).name
    return Tuning(name, use, explain(found), found)


def project_sample(project: Project) -> TextSample:
    """Random texts of the project's pool, with its labels and prompt. Raises NotFoundError for an empty pool."""
    pool = sorted(project.store.items.ids("pool"))
    if not pool:
        raise NotFoundError("the project has no texts to measure a change on", "mollia import texts.csv")
    order = stream(project.settings.random_seed, "tune").permutation(len(pool))[:SAMPLE_TEXTS]
    return TextSample(project.store.items.get([pool[row] for row in order]), project.labels, project_prompt(project))


def demo_sample() -> TextSample:
    """Messages that ship with mollia."""
    labels = demo.demo_labels()
    messages = [row["text"] for row in demo.demo_messages() if row["split"] == "pool"]
    items: Sequence[Item] = [Item(str(i), text) for i, text in enumerate(messages[:SAMPLE_TEXTS])]
    return TextSample(items, labels, render(builtin_template("described"), labels, demo.NOUN, demo.TASK))


def _encoding(encoding: Encoding) -> dict[str, Any]:
    return {
        "format": encoding.format,
        "bytes": encoding.bytes,
        "tokens_per_s": encoding.tokens_per_s,
    }
