"""A strategy's question about each candidate, answered by an LLM of the panel."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from mollia_cli.annotators import ANNOTATORS
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.prompting import Decoding
from mollia_cli.project.context import Project
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.panel import LOG_FILE, writing_llm
from mollia_cli.prompts import render
from mollia_cli.strategies.base import Strategy

_YES_NO = LabelSet(("yes", "no"))
PER_PICK = 10  # candidates that are asked about for each item wanted: reading the whole pool costs as annotating it


def answers(project: Project, strategy: Strategy, ids: Sequence[str]) -> FloatArray:
    """[n] p(yes) of the panel's largest LLM to the strategy's question, normalised; stored and never asked again.

    A question that is no prompt template with ``{text}`` raises InputError.
    """
    file, settings = writing_llm(project), project.settings.annotate
    source = f"the question of the strategy {strategy.name!r}"
    prompt = render(strategy.question, project.labels, project.settings.noun, project.settings.task, source=source)
    annotator = ANNOTATORS.load("llama")(
        f"{file.name} ({strategy.name})",
        file.path,
        _YES_NO,
        prompt,
        Decoding("exact", seed=project.settings.random_seed),
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
            project.progress(f"{strategy.name}: asking {file.name}", done, len(items))
    finally:
        annotator.close()
    seen = project.store.observations.get(key, ids)
    z = np.exp(np.array([seen[item_id].log_probs for item_id in ids]).reshape(len(ids), 2))
    yes: FloatArray = z[:, 0] / np.maximum(z.sum(axis=1), 1e-300)
    return yes
