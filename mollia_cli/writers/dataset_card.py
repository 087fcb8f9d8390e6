"""The README.md of a Hugging Face dataset folder: its YAML head tells ``load_dataset`` where the splits are."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from mollia_cli.domain.labels import LabelSet

_FEATURES = {
    **{"id": "string", "text": "string", "label": "", "confidence": "float64", "source": "string"},
    "who": "string",
}


_KINDS = {"integer": "int64", "real": "float64", "boolean": "bool"}


def dataset_card(
    labels: LabelSet,
    noun: str,
    files: Mapping[str, str],
    counts: Mapping[str, Mapping[str, int]],
    fields: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Markdown with a YAML head. ``files``: split -> path; ``counts``: split -> source of the labels -> rows.

    ``fields``: the other columns, and what they hold (writers/base.py).
    """
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
        f"dataset_info:\n  features:\n{_features(labels, fields)}---\n\n"
        f"# {noun.capitalize()}s with labels\n\n"
        "Exported by mollia. `source` says who labelled a row: `gold` and `human` labels are people's; all others were"
        " made by that aggregator from the answers of local LLMs, with `confidence` as the calibrated"
        " probability that they are correct. `who` names the people of human labels. `negatives` are labels that"
        " the panel rules out.\n\n"
        f"| split | source | rows |\n|---|---|---|\n{rows}\n"
        f"Labels:\n\n{described}"
    )


def _features(labels: LabelSet, fields: Mapping[str, str]) -> str:
    lines = []
    for name, kind in _FEATURES.items():
        lines.append(f"  - name: {name}\n")
        if kind:
            lines.append(f"    dtype: {kind}\n")
        else:
            names = "".join(f"          '{k}': {_quoted(label)}\n" for k, label in enumerate(labels.names))
            lines.append(f"    dtype:\n      class_label:\n        names:\n{names}")
    lines.append("  - name: negatives\n    list: string\n")
    lines += [f"  - name: {_quoted(name)}\n    dtype: {_KINDS.get(kind, 'string')}\n" for name, kind in fields.items()]
    return "".join(lines)


def _quoted(text: str) -> str:
    """A YAML scalar: JSON's strings are YAML's, too."""
    return json.dumps(text, ensure_ascii=False)
