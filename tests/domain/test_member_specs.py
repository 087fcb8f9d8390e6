"""Panel members as they are written down: what is taken, and what each mistake is told."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.members import MemberSpec, options_of, parse_members
from mollia_cli.domain.settings import parse_settings

LAB = {"name": "lab", "kind": "replay", "file": "x.npy"}


@dataclass(frozen=True)
class Options:
    file: str
    layers: int = 3
    words: dict[str, list[str]] = field(default_factory=dict)


def test_a_bare_text_is_an_llm_and_a_table_names_its_kind() -> None:
    members = parse_members(["smol", "/a/b.gguf", LAB], "panel.members")
    assert members == (MemberSpec("smol"), MemberSpec("/a/b.gguf"), MemberSpec("lab", "replay", {"file": "x.npy"}))
    assert [member.kind for member in members] == ["llama", "llama", "replay"]
    assert [member.written for member in members] == ["smol", "/a/b.gguf", LAB]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("smol", "panel.members is 'smol'"),
        (["smol", 3], r"panel.members\[1\] is 3"),
        ([""], r"panel.members\[0\] is ''"),
        ([{"kind": "replay"}], r"panel.members\[0\] has no name"),
        ([{"name": "lab"}], r"panel.members\[0\] has no kind"),
        ([{"name": 3, "kind": "replay"}], r"panel.members\[0\].name is 3"),
        (["smol", {"name": "smol", "kind": "replay"}], "two members are called 'smol'"),
    ],
)
def test_a_mistake_names_the_file_and_the_entry(entries: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"p/mollia.toml: .*{said}"):
        parse_settings({"labels": {"a": "", "b": ""}, "panel": {"members": entries}}, "p/mollia.toml")


def test_options_are_the_kinds_own_with_its_defaults() -> None:
    words = {"billing": ["invoice"]}
    assert options_of(MemberSpec("m", "k", {"file": "x", "words": words}), Options) == Options("x", 3, words)


@pytest.mark.parametrize(
    ("options", "said", "hint"),
    [
        ({"file": "x", "layer": 3}, r"'m' \(k\) has no option 'layer'", "did you mean layers"),
        ({"layers": 3}, r"'m' \(k\) needs the option 'file'", "file, layers, words"),
        ({"file": 3}, r"'m' \(k\): file is 3", "expected `str`, got `int`"),
        ({"file": "x", "words": {"a": "b"}}, r"'m' \(k\): words is {'a': 'b'}", "expected `array`, got `str`"),
    ],
)
def test_a_wrong_option_says_which_and_what_it_should_be(options: dict[str, Any], said: str, hint: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        options_of(MemberSpec("m", "k", options), Options)
    assert hint in caught.value.hint
