"""Installed models: add, resolve, check, remove."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mollia_cli import models
from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.models import digests

from .samples import GGUF, LARGE, SAFETENSORS, sha256

LOCAL = 'local = "nowhere"'


def test_adding_a_gguf_file(home: Path, gguf: Path) -> None:
    added = models.add(gguf)
    assert (added.name, added.kind, added.size) == ("given-model.q4", "llm", len(GGUF))
    found = models.resolve_llm("given-model.q4")
    assert (found.name, found.sha256) == ("given-model.q4", sha256(GGUF))
    assert found.path.read_bytes() == GGUF and found.path.is_relative_to(home / "models")
    assert found.path.stat().st_ino == gguf.stat().st_ino
    assert models.installed_names("llm") == ["given-model.q4"] and models.installed_names("encoder") == []
    assert models.is_installed("given-model.q4")
    assert [row.name for row in models.list_models() if row.installed] == ["given-model.q4"]


def test_adding_copies_where_links_do_not_work(home: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    models.add(gguf, "copied")
    assert models.resolve_llm("copied").path.read_bytes() == GGUF
    assert models.resolve_llm("copied").path.stat().st_ino != gguf.stat().st_ino


def test_adding_an_encoder_takes_data_files_alone(home: Path, encoder: Path) -> None:
    added = models.add(encoder, "mine")
    assert list(added.files) == ["model.safetensors", "config.json", "tokenizer.json"]
    assert models.resolve_encoder("mine") == home / "models" / "mine"
    assert models.resolve_encoder(str(encoder)) == encoder


def test_adding_the_same_again_changes_nothing_and_another_is_refused(home: Path, gguf: Path) -> None:
    first = models.add(gguf, "m")
    assert models.add(gguf, "m") == first
    gguf.unlink()
    gguf.write_bytes(GGUF + b"more")
    with pytest.raises(InputError, match="another model is called 'm' already"):
        models.add(gguf, "m")
    assert models.resolve_llm("m").sha256 == sha256(GGUF)


def test_a_catalogued_file_gets_its_name_and_a_catalogued_name_its_file(
    catalogued: Callable[..., None], gguf: Path
) -> None:
    catalogued("tiny", LOCAL)
    added = models.add(gguf)
    assert (added.name, added.main, added.licence) == ("tiny", "tiny.gguf", "L")
    models.remove("tiny")
    gguf.write_bytes(GGUF + b"more")
    with pytest.raises(RefusedError, match="is not the catalogue's 'tiny'"):
        models.add(gguf, "tiny")
    assert models.installed_names() == []


def test_a_catalogued_encoder_must_be_whole(catalogued: Callable[..., None], encoder: Path) -> None:
    files = {"model.safetensors": sha256(SAFETENSORS), "vocab.txt": ""}
    catalogued("enc", LOCAL, files=files, kind="encoder")
    with pytest.raises(RefusedError, match=r"'vocab\.txt' of 'enc' is not there"):
        models.add(encoder)
    (encoder / "vocab.txt").write_text("a")
    assert list(models.add(encoder).files) == list(files)


def _no_config(folder: Path) -> Path:
    (folder / "config.json").unlink()
    return folder


def _only_pickle(folder: Path) -> Path:
    (folder / "model.safetensors").unlink()
    return folder


def test_what_is_no_model_is_refused(home: Path, tmp_path: Path, encoder: Path) -> None:
    text = tmp_path / "a.gguf"
    text.write_text("no model")
    with pytest.raises(RefusedError, match="is not a GGUF file"):
        models.add(text)
    with pytest.raises(NotFoundError, match=r"b\.gguf"):
        models.add(tmp_path / "b.gguf")
    with pytest.raises(RefusedError, match=r"no weights as \.safetensors") as caught:
        models.add(_only_pickle(encoder))
    assert "can run code" in caught.value.hint
    with pytest.raises(InputError, match=r"no config\.json"):
        models.resolve_encoder(str(_no_config(encoder)))
    text.write_bytes(GGUF)
    with pytest.raises(RefusedError, match="no name for a model"):
        models.add(text, "../a")
    assert models.installed_names() == [] and not (home / "models").exists()


def test_a_model_that_is_not_there_says_how_to_get_it(home: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        models.resolve_llm("qwen2.5-coder-0.5b-instruct")
    assert caught.value.hint == "mollia models pull qwen2.5-coder-0.5b-instruct"
    with pytest.raises(NotFoundError) as caught:
        models.resolve_encoder("all-minilm")
    assert "did you mean 'all-minilm-l6-v2'?" in caught.value.hint
    with pytest.raises(InputError, match="is an encoder, not an LLM"):
        models.resolve_llm("all-minilm-l6-v2")
    with pytest.raises(NotFoundError, match=r"no file is called .*/x\.gguf"):
        models.resolve_llm("x.gguf")
    assert models.check_name("gemma-3-270m", "llm") == "gemma-3-270m"
    with pytest.raises(InputError, match="is an LLM, not an encoder"):
        models.check_name("gemma-3-270m", "encoder")
    assert not models.is_installed("gemma-3-270m") and not models.is_installed("./x.gguf")


def test_a_file_that_was_cut_or_changed_is_refused(home: Path, tmp_path: Path, gguf: Path) -> None:
    models.add(gguf, "m")
    path = models.resolve_llm("m").path
    path.write_bytes(GGUF[: len(GGUF) // 2])
    with pytest.raises(RefusedError, match=r"has changed since it was installed: 5,122 bytes") as caught:
        models.resolve_llm("m")
    assert "mollia models remove m" in caught.value.hint
    assert [row.state for row in models.check()] == ["differs"]
    path.unlink()
    with pytest.raises(NotFoundError, match="lacks its file"):
        models.resolve_llm("m")
    assert [(row.state, row.found) for row in models.check("m")] == [("missing", None)]
    assert not models.is_installed("m")


def test_a_model_by_its_path(home: Path, gguf: Path) -> None:
    found = models.resolve_llm(str(gguf))
    assert (found.name, found.path, found.sha256) == ("Given-Model.Q4", gguf, sha256(GGUF))
    assert models.is_installed(str(gguf)) and models.looks_like_path("x.GGUF") and not models.looks_like_path("m-1.5b")
    gguf.write_bytes(GGUF + b"!")
    assert models.resolve_llm(str(gguf)).sha256 == sha256(GGUF + b"!")


def test_a_digest_is_computed_once(home: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf.write_bytes(LARGE)
    read: list[str] = []
    original = digests._blocks
    monkeypatch.setattr(digests, "_blocks", lambda path, *rest: read.append(path.name) or original(path, *rest))
    models.resolve_llm(str(gguf))
    models.resolve_llm(str(gguf))
    assert read == [gguf.name]
    models.add(gguf, "m")
    models.resolve_llm("m")
    assert read == [gguf.name]
    models.check("m")
    assert len(read) == 2


def test_a_small_file_is_read_and_not_remembered(home: Path, gguf: Path) -> None:
    models.add(gguf, "m")
    assert models.resolve_llm("m").sha256 == sha256(GGUF) and not (home / "digests.json").exists()


def test_a_damaged_digest_cache_is_no_error(home: Path, gguf: Path) -> None:
    gguf.write_bytes(LARGE)
    models.add(gguf, "m")
    (home / "digests.json").write_text("{")
    assert models.resolve_llm("m").sha256 == sha256(LARGE)


def test_a_damaged_manifest_is_named_and_can_be_removed(home: Path, gguf: Path) -> None:
    models.add(gguf, "m")
    for damage in ("{", '{"name": "m"}'):
        (home / "models" / "m" / "installed.json").write_text(damage)
        with pytest.raises(RefusedError, match="damaged"):
            models.resolve_llm("m")
    models.remove("m")
    assert models.installed_names() == []


def test_removing_what_is_not_there(home: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    for name in ("gemma-3-270m", "../../precious", "", ".."):
        with pytest.raises(NotFoundError):
            models.remove(name)
    assert (tmp_path / "precious").is_dir()


def test_folders_are_private(home: Path, gguf: Path) -> None:
    models.add(gguf, "m")
    assert {path.stat().st_mode & 0o777 for path in (home, home / "models", home / "models" / "m")} == {0o700}


def test_using_models_loads_no_network_code() -> None:
    code = "import sys, mollia_cli.models as m; m.list_models(); print({'urllib.request', 'socket'} & {*sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_the_list_says_where_a_pull_would_look_and_what_it_checks(catalogued: Callable[..., None], gguf: Path) -> None:
    files = {"model.safetensors": "a" * 64, "config.json": "", "vocab.txt": ""}
    catalogued("theirs", 'hub = "o/r"', f"local = '{gguf}'", files=files, kind="encoder")
    row = next(row for row in models.list_models() if row.name == "theirs")
    assert (row.source, row.digest) == (f"hub o/r, else local {gguf}", "checked; 2 of 3 pinned at the first pull")
    models.add(gguf, "mine")
    row = next(row for row in models.list_models() if row.name == "mine")
    assert (row.source, row.digest, row.sha256) == (str(gguf), "checked", sha256(GGUF))
