"""The catalogue: what ships, and what is refused."""

import re
from importlib import resources
from pathlib import Path

import pytest

from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.models import catalogue
from mollia_cli.models.catalogue import Hub, Packages, load, parse

from .samples import toml

SHIPPED = (resources.files("mollia_cli") / "models.toml").read_text(encoding="utf-8")
PAPER = {
    *("gemma-2-9b-it", "llama-3.1-8b-instruct", "mistral-7b-instruct-v0.2", "qwen2.5-coder-7b-instruct"),
    *("yi-1.5-9b-chat", "distilbert-base-uncased", "distilroberta-base"),
}
SMALL = {
    *("smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct", "gemma-3-270m"),
    *("tinyllama-1.1b-chat", "all-minilm-l6-v2", "all-mpnet-base-v2"),
}


def test_the_shipped_catalogue_holds_the_paper_s_models_and_the_small_ones() -> None:
    entries = parse(SHIPPED, "models.toml")
    assert set(entries) == PAPER | SMALL
    assert {name for name, entry in entries.items() if entry.kind == "encoder"} == {
        *("all-minilm-l6-v2", "all-mpnet-base-v2", "distilbert-base-uncased", "distilroberta-base")
    }


def test_every_shipped_llm_and_every_encoder_s_weights_have_a_known_digest() -> None:
    for entry in parse(SHIPPED, "models.toml").values():
        assert next(iter(entry.files.values())) is not None, entry.name


def test_small_models_come_from_packages_and_the_paper_s_from_the_hub() -> None:
    entries = parse(SHIPPED, "models.toml")
    assert all(any(isinstance(source, Packages) for source in entries[name].sources) for name in SMALL)
    assert all(isinstance(entries[name].sources[0], Hub) for name in PAPER)


def test_the_catalogue_names_no_host_and_packages_are_pinned() -> None:
    assert not re.search(r"://|\.(co|com|org|io)/", SHIPPED)
    for entry in parse(SHIPPED, "models.toml").values():
        for source in entry.sources:
            if isinstance(source, Packages):
                assert all(re.search(r"(==|.@)\d", spec) for spec in source.specs)


def test_the_top_level_file_is_the_shipped_one() -> None:
    root = Path(catalogue.__file__).parents[2]
    assert (root / "models.toml").read_text(encoding="utf-8") == SHIPPED


LOCAL = 'local = "x"'
WRONG = {
    "not TOML": ("[[model]", ["c.toml is not TOML"]),
    "unknown table": ("[models]\n", ["c.toml: unknown key 'models'"]),
    "unknown key": (toml("a", LOCAL).replace("licence", "license"), ["entry 'a'", "unknown key 'license'"]),
    "key missing": (toml("a", LOCAL).replace('family = "f"\n', ""), ["entry 'a'", "'family'", "missing"]),
    "wrong type": (toml("a", LOCAL).replace("20000", '"20 kB"'), ["'size'", "'20 kB'"]),
    "no size": (toml("a", LOCAL, size=0), ["'size'"]),
    "kind": (toml("a", LOCAL, kind="lm"), ["'kind'", "'lm'"]),
    "digest": (toml("a", LOCAL, files={"a.gguf": "abc"}), ["entry 'a'", "'files'", "64"]),
    "LLM of two files": (toml("a", LOCAL, files={"a": "", "b": ""}), ["'files'"]),
    "no source": (toml("a"), ["'source'"]),
    "unknown source": (toml("a", 'url = "x"'), ["entry 'a': source 1", "unknown key 'url'"]),
    "key of another source": (toml("a", LOCAL, 'hub = "x/y"\njoin = "z"'), ["source 2", "unknown key 'join'"]),
    "no join": (toml("a", 'pip = ["x==1", "y==1"]'), ["'join'"]),
    "bad pattern": (toml("a", 'pip = ["x==1"]\njoin = "("'), ["'join'", "regular expression"]),
    "option for a package": (toml("a", 'pip = ["--index-url=x"]'), ["'pip'"]),
    "twice": (toml("a", LOCAL) * 2, ["'a'", "twice"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_entry_is_named_with_file_entry_and_key(case: str) -> None:
    text, parts = WRONG[case]
    with pytest.raises(InputError) as caught:
        parse(text, "c.toml")
    assert all(part in caught.value.message for part in ["c.toml", *parts]), caught.value.message


@pytest.mark.parametrize(
    "file", ["../x.gguf", "/x.gguf", "a/../../x", "..", "", ".", "a\\\\b", "c:x", "installed.json", "a//b", "./a"]
)
def test_a_file_that_would_leave_the_models_folder_is_refused(file: str) -> None:
    with pytest.raises(RefusedError, match="entry 'a'"):
        parse(toml("a", LOCAL, files={file: ""}), "c.toml")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "-x", "A", "a b"])
def test_a_name_that_is_no_folder_s_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="no name for a model"):
        parse(toml(name, LOCAL), "c.toml")


def test_the_home_s_own_catalogue_adds_and_replaces(home: Path) -> None:
    home.mkdir()
    (home / "models.toml").write_text(toml("own", LOCAL) + toml("gemma-3-270m", LOCAL), encoding="utf-8")
    entries = load()
    assert set(entries) == PAPER | SMALL | {"own"}
    assert str(entries["gemma-3-270m"].sources[0]) == "local x"


def test_an_unknown_name_gets_the_nearest(home: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        catalogue.find("smollm-135m")
    assert "did you mean 'smollm2-135m-instruct'?" in caught.value.hint
