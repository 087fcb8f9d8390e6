"""Nothing says "1 texts": a number before a noun goes through ``domain.printable.count``."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import mollia_cli

ROOT = Path(mollia_cli.__file__).parent
NOUNS = (
    "texts|items|labels|verdicts|models|LLMs|seeds|rounds|runs|rows|lines|files|words|tokens|answers|observations|"
    "entries|findings|duplicates|members|decisions|examples|records|times|characters|notes|repeats|charts|messages|"
    "interfaces|parts|epochs|descriptions|archives"
)
# A number and a plural, with one word between them at most; "3 of 10 items" is said of any number.
PLURAL = re.compile(rf"^ (?:(?!(?:on|of|but|holds|other) )[a-z]+ )?(?:{NOUNS})\b")
OF = re.compile(r"\b(of|from|than|to|and) $")
# (file, the plural): what is no number, or one that is never 1 where this is said; a file without mollia's own
NEVER_ONE = {
    ("annotators/llama/tuning.py", "{tuned.best.tokens_per_s:,.0f} tokens"),
    ("annotators/llama/tuning.py", "{tuned.original.tokens_per_s:,.0f} tokens"),
    ("annotators/llama/tuning.py", "{tuned.gain:.1f} times"),
    ("cli/init.py", "{folder} texts"),
    ("cli/init.py", "{len(label_set)} labels"),  # two or more
    ("loop/aggregate.py", "{len(labels)} seed labels"),
    ("insight/imports.py", "{split} items"),
    ("loop/shots.py", "{len(best.right)} seeds"),
    ("loop/shots.py", "{len(tried_on(seen))} seeds"),
    ("loop/train.py", "{len(examples.texts)} labels"),  # one of one label is refused before
    ("models/unbundle.py", "{len(manifest.files)} files"),
}


def said(path: Path) -> Iterator[tuple[str, str]]:
    """The plurals behind a value in the file's strings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for n, (value, after) in enumerate(zip(node.values, node.values[1:], strict=False)):
            before = node.values[n - 1] if n else None
            if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                continue
            if isinstance(before, ast.Constant) and OF.search(str(before.value)):
                continue
            constant = (
                isinstance(value.value, ast.Name | ast.Attribute)
                and ast.unparse(value.value).rpartition(".")[2].isupper()
            )
            words = PLURAL.match(str(after.value))
            if words and not constant:
                yield path.relative_to(ROOT).as_posix(), f"{ast.unparse(value)}{words.group()}"


def test_numbers_agree_with_their_nouns() -> None:
    assert {found for path in ROOT.rglob("*.py") for found in said(path)} == NEVER_ONE
