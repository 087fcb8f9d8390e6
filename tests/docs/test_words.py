"""Messages, help texts, docstrings and pages use the field's terms, which docs/glossary.md defines once each."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mollia_cli"
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = {"commands.md", "database.md"}  # all of it is prose

# A private word, and what the field says.
PRIVATE = {
    r"judg(e|es|ed|ing)": "predict or aggregate",
    r"conclu(de|des|ded|ding|sion|sions)": "aggregate",
    r"told": "labelled, known or reported",
    r"said": "observed, answered or printed",
    r"sure|surer|surest": "confident",
    r"trial|trials|tries": "load check, sample, repeat or attempt",
    r"believ(e|es|ed|ing)|beliefs?": "rely on, or a probability",
    r"opinions?": "predictions or observations",
    r"doubts|doubtful": "low confidence",
    r"remember(s|ed|ing)?": "store or cache",
    r"(is|are|verdicts?) right|right (verdicts?|labels?|answers?)": "accuracy",
    r"share of right|share that is right": "accuracy",
    r"nearly the same|almost the same text": "near-duplicate",
    r"invalid share|share of invalid": "invalid rate",
    r"differ in chance alone": "repeats with other random seeds",
}
WORDS = re.compile("|".join(rf"\b(?:{pattern})\b" for pattern in PRIVATE), re.IGNORECASE)
NAMES = re.compile(r"``[^`]*``|`[^`]*`|--[a-z-]+")  # of code: they have their own rules
BLOCK = re.compile(r"^( *)```.*?^\1```|^ {4}(?:python|pytest|\$) [^\n]*$", re.DOTALL | re.MULTILINE)
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE)\b")
FOR_MODELS = ("LEARNING_TEXTS", "_TEXTS")  # sentences that a model reads, not a person

TERMS = {
    *("annotator", "panel", "member", "observation", "vote", "log-probability", "label mass", "invalid rate"),
    *("aggregator", "verdict", "negative label", "confidence", "calibration", "abstain", "threshold"),
    *("target precision", "cross-fitting", "gold label", "seed set", "random seed", "repeat", "pool", "split"),
    *("query strategy", "round", "run", "learner", "encoder", "cascade", "near-duplicate", "worked example"),
    *("stopping criterion", "oracle", "replay", "digest", "identity", "fit", "lock", "journal", "accuracy"),
}


def private_words(text: str) -> list[str]:
    """The private words of a text, names of code left out."""
    return [found[0].lower() for found in WORDS.finditer(NAMES.sub("", text))]


def sentences(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every literal that people read: docstrings, messages, help texts, parts of f-strings."""
    tree = ast.parse(source)
    skipped = {
        id(node)
        for made in ast.walk(tree)
        if isinstance(made, ast.Assign) and any(getattr(target, "id", "") in FOR_MODELS for target in made.targets)
        for node in ast.walk(made)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            text = node.value
            if " " in text.strip(" ") and not SQL.search(text):
                yield node.lineno, text


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_uses_no_private_words(path: Path) -> None:
    found = [
        f"{path.name}:{line}: {word!r} in {text.strip()!r}"
        for line, text in sentences(path.read_text(encoding="utf-8"))
        for word in private_words(text)
    ]
    assert not found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_uses_no_private_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    prose = text if path.name in GENERATED else BLOCK.sub("", text)
    assert not private_words(prose)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('"""What the aggregator concludes."""', ["concludes"]),
        ("def f():\n    raise ValueError(f'{x} is not sure of it')", ["sure"]),
        ("typer.Option(help='The least sure first.')", ["sure"]),
        ("x = 'SELECT concluded FROM fits'", []),
        ('"""``opinions``: label probabilities."""', []),
        ("_TEXTS = ('nobody told the patient', 'she said so')", []),
        ("say('20 labels are right')", ["are right"]),
    ],
)
def test_private_words_are_found(source: str, words: list[str]) -> None:
    assert [word for _, text in sentences(source) for word in private_words(text)] == words


def test_the_glossary_defines_each_term_once() -> None:
    parts = re.split(r"^### (.+)$", GLOSSARY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    terms, definitions = parts[1::2], [text.partition("\n## ")[0].strip() for text in parts[2::2]]
    assert len(terms) == len(set(terms)) and set(terms) >= TERMS
    for term, definition in zip(terms, definitions, strict=True):
        assert 1 <= len(re.findall(r"[.;:](?=\s|$)", definition)) <= 4, term
        assert definition[0].isupper() and definition.endswith("."), term


def test_the_glossary_is_linked_from_the_readme() -> None:
    assert "](docs/glossary.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
