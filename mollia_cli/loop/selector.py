"""A strategy's question about each candidate, answered by an LLM of the panel."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.prompting import Decoding
from mollia_cli.project.context import Project
from mollia_cli.project.observe import read
from mollia_cli.project.panel import annotators_of, panel_context, writing_llm
from mollia_cli.prompts import render
from mollia_cli.strategies.base import Strategy

_YES_NO = LabelSet(("yes", "no"))
PER_PICK = 10  # candidates that are asked about for each item wanted: reading the whole pool costs as annotating it


def answers(project: Project, strategy: Strategy, ids: Sequence[str]) -> FloatArray:
    """[n] p(yes) of the panel's largest LLM to the strategy's question, normalised; stored and never asked again.

    A question that is no prompt template with ``{text}`` raises InputError.
    """
    file, store = writing_llm(project), project.store.observations
    source = f"the question of the strategy {strategy.name!r}"
    question = render(strategy.question, project.labels, project.settings.noun, project.settings.task, source=source)
    decoding = Decoding("exact", seed=project.settings.random_seed)
    context = replace(panel_context(project), labels=_YES_NO, prompt=lambda: question, decoding=decoding)
    spec = MemberSpec(f"{file.name} ({strategy.name})", options={"file": str(file.path)})
    (annotator,) = annotators_of(spec, context)
    key = store.register(annotator.name, annotator.identity)
    try:
        if missing := store.missing(key, ids):
            read(project, annotator, key, missing, store)
    finally:
        annotator.close()
    seen = store.get(key, ids)
    z = np.exp(np.array([seen[item_id].log_probs for item_id in ids]).reshape(len(ids), 2))
    yes: FloatArray = z[:, 0] / np.maximum(z.sum(axis=1), 1e-300)
    return yes
