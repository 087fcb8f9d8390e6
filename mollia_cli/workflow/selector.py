"""An LLM of the panel as selector: what it says of how informative a text would be."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from mollia_cli import models
from mollia_cli.annotators import ANNOTATORS
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.workflow.panel import LOG_FILE, panel_members
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.trial import file_kernels

_YES_NO = LabelSet(("yes", "no"))
PER_PICK = 10  # candidates that are asked about for each item wanted: reading the whole pool costs as annotating it


def informative(project: Project, ids: Sequence[str]) -> FloatArray:
    """[n] p(yes) of the panel's largest LLM, normalised; what it said is stored and never asked again."""
    file = max((models.resolve_llm(name) for name in panel_members(project)), key=lambda f: f.path.stat().st_size)
    settings = project.settings.annotate
    annotator = ANNOTATORS.load("gguf")(
        f"{file.name} (selector)",
        file.path,
        _YES_NO,
        _prompt(project),
        Decoding("exact", seed=project.settings.seed),
        model_digest=file.sha256,
        threads=settings.threads,
        context=settings.context,
        log_path=project.root / LOG_FILE,
        kernels=partial(file_kernels, file, project.say),
    )
    key = project.store.observations.register(annotator.name, annotator.identity)
    items = project.store.items.get(project.store.observations.missing(key, ids))
    done = 0
    try:
        for batch in annotator.annotate(items):
            project.store.observations.add(key, batch)
            done += len(batch)
            project.progress(f"asking {file.name} what is informative", done, len(items))
    finally:
        annotator.close()
    seen = project.store.observations.get(key, ids)
    z = np.exp(np.array([seen[item_id].log_probs for item_id in ids]).reshape(len(ids), 2))
    said: FloatArray = z[:, 0] / np.maximum(z.sum(axis=1), 1e-300)
    return said


def _prompt(project: Project) -> Prompt:
    settings = project.settings
    noun = settings.noun
    return Prompt(
        f"A classifier is trained to tell these categories apart: {', '.join(project.labels.names)}.\n"
        f"It learns most from a {noun} that is hard to categorise, or that is unlike the usual ones.\n\n"
        f"{noun[:1].upper()}{noun[1:]}: ",
        f"\n\nWould the classifier learn much from this {noun}? Answer yes or no:",
    )
