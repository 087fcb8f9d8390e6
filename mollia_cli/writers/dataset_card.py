"""The README.md of a Hugging Face dataset folder: its YAML head tells ``load_dataset`` where the splits are."""

import json
from collections.abc import Mapping

from mollia_cli.domain.labels import LabelSet

_FEATURES = {
    **{"id": "string", "text": "string", "label": "", "confidence": "float64", "source": "string"},
    "who": "string",
}


def dataset_card(labels: LabelSet, noun: str, files: Mapping[str, str], counts: Mapping[str, Mapping[str, int]]) -> str:
    """Markdown with a YAML head. ``files``: split -> path; ``counts``: split -> source of the labels -> rows."""
    splits = "".join(f"  - split: {split}\n    path: {_quoted(path)}\n" for split, path in files.items())
    rows = "".join(
        f"| {split} | {source} | {n} |\n" for split, sources in counts.items() for source, n in sources.items()
    )
    described = "".join(
        f"- `{name}`{f': {text}' if text else ''}\n"
        for name, text in zip(labels.names, labels.descriptions, strict=True)
    )
    return (
        f"---\ntask_categories:\n- text-classification\nconfigs:\n- config_name: default\n  data_files:\n{splits}"
        f"dataset_info:\n  features:\n{_features(labels)}---\n\n"
        f"# {noun.capitalize()}s with labels\n\n"
        "Exported by mollia. `source` says who labelled a row: `gold` and `human` labels are people's; all others were"
        " made by that aggregator from the answers of local LLMs, with `confidence` as the calibrated"
        " probability that they are correct. `who` names the people of human labels. `negatives` are labels that"
        " the panel rules out.\n\n"
        f"| split | source | rows |\n|---|---|---|\n{rows}\n"
        f"Labels:\n\n{described}"
    )


def _features(labels: LabelSet) -> str:
    lines = []
    for name, kind in _FEATURES.items():
        lines.append(f"  - name: {name}\n")
        if kind:
            lines.append(f"    dtype: {kind}\n")
        else:
            names = "".join(f"          '{k}': {_quoted(label)}\n" for k, label in enumerate(labels.names))
            lines.append(f"    dtype:\n      class_label:\n        names:\n{names}")
    return "".join(lines) + "  - name: negatives\n    list: string\n"


def _quoted(text: str) -> str:
    """A YAML scalar: JSON's strings are YAML's, too."""
    return json.dumps(text, ensure_ascii=False)
