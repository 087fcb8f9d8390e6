"""What is written for another tool is loaded by that tool's own library; a test skips where that is not installed.

Prodigy is sold, and its loader closed: its tasks are compared with the documented format in ``test_prodigy.py``.
"""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.writers import WRITERS, Row, Target

LABELS = ("a", "b", "c d")
# What the tools make of labels: "&" and quotes stand in Label Studio's XML.
ROWS: list[Row] = [
    {
        **{"id": "1", "text": "two\nlines, <b>&amp;</b> \U0001f600", "label": "c d", "confidence": 0.5},
        **{"source": "mixture", "who": "", "negatives": ["b"]},
    },
    {
        **{"id": "2", "text": "ünï", "label": "b", "confidence": 1.0},
        **{"source": "human", "who": "ann, ben", "negatives": []},
    },
]
CONFIG = """<View><Text name="text" value="$text"/><Choices name="label" toName="text" choice="single">
<Choice value="a"/><Choice value="b"/><Choice value="c d"/></Choices></View>"""


def written(name: str, out: Any) -> Any:
    assert WRITERS.load(name)(iter(ROWS), out, Target(LABELS)) == len(ROWS)
    return out.getvalue()


def test_label_studio_tasks_as_they_are_documented() -> None:
    verdict, human = json.loads(written("label_studio", io.StringIO()))
    assert verdict["data"] == {name: ROWS[0][name] for name in ("text", "id", "source", "who", "confidence")}
    [prediction] = verdict["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("mixture", 0.5)
    assert human["data"]["who"] == "ann, ben" and "predictions" not in human
    assert human["annotations"][0]["result"][0]["value"] == {"choices": ["b"]}
    out = io.StringIO()
    assert WRITERS.load("label_studio")([], out, Target(LABELS)) == 0 and json.loads(out.getvalue()) == []


@pytest.mark.proof
def test_label_studio_takes_the_tasks(tmp_path: Path) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk is not installed")
    tasks = json.loads(written("label_studio", io.StringIO()))
    config = interface.LabelInterface(CONFIG)
    for task in tasks:
        assert config.validate_task({"data": task["data"]})
    assert config.validate_prediction(tasks[0]["predictions"][0])
    assert config.validate_annotation(tasks[1]["annotations"][0])
    wrong = json.loads(json.dumps(tasks[1]["annotations"][0]).replace('["b"]', '["no label"]'))
    assert not config.validate_annotation(wrong)  # it does look
    from label_studio_sdk.converter import Converter

    (tmp_path / "tasks.json").write_text(json.dumps([task | {"id": k} for k, task in enumerate(tasks)]))
    converter = Converter(CONFIG, str(tmp_path))
    converter.convert_to_csv(str(tmp_path / "tasks.json"), str(tmp_path / "out"), is_dir=False, header=True, sep=",")
    with next((tmp_path / "out").glob("*.csv")).open(newline="", encoding="utf-8") as handle:
        [human] = csv.DictReader(handle)  # predictions are no annotations
    assert (human["text"], human["label"], human["who"]) == ("ünï", "b", "ann, ben")


@pytest.mark.proof
def test_spacy_loads_the_docbin_and_learns_from_it() -> None:
    spacy = pytest.importorskip("spacy", reason="spacy is not installed")
    from spacy.tokens import DocBin
    from spacy.training import Example

    nlp = spacy.blank("en")
    documents = list(DocBin(store_user_data=True).from_bytes(written("spacy", io.BytesIO())).get_docs(nlp.vocab))
    assert [document.text for document in documents] == [row["text"] for row in ROWS]
    assert [document.cats for document in documents] == [
        {"a": 0.0, "b": 0.0, "c d": 1.0},
        {"a": 0.0, "b": 1.0, "c d": 0.0},
    ]
    assert documents[1].user_data["who"] == "ann, ben" and documents[0].user_data["confidence"] == 0.5
    nlp.add_pipe("textcat")
    examples = [Example(nlp.make_doc(document.text), document) for document in documents]
    nlp.initialize(lambda: examples)
    assert set(nlp.get_pipe("textcat").labels) == set(LABELS)
    assert nlp.update(examples)["textcat"] > 0


def test_without_spacy_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(InputError, match="needs spaCy") as caught:
        WRITERS.load("spacy")(iter(ROWS), io.BytesIO(), Target(LABELS))
    assert "mollia[spacy]" in caught.value.hint


@pytest.mark.proof
def test_argilla_loads_the_records() -> None:
    argilla = pytest.importorskip("argilla", reason="argilla is not installed")
    records = [argilla.Record.from_dict(record) for record in json.loads(written("argilla", io.StringIO()))]
    assert [record.fields["text"] for record in records] == [row["text"] for row in ROWS]
    first, second = [record.suggestions["label"] for record in records]
    assert (first.value, first.score, first.agent) == ("c d", 0.5, "mixture")
    assert (second.value, second.score, second.agent) == ("b", 1.0, "human")
    assert records[1].metadata["who"] == "ann, ben" and "who" not in dict(records[0].metadata)
