"""Pulling: the first source that answers; nothing that is wrong or half-made is kept."""

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mollia_cli import models
from mollia_cli.domain.errors import MolliaError, NotFoundError, RefusedError
from mollia_cli.models import sources
from mollia_cli.models.pull import pull

from .samples import GGUF, LARGE, Hub, sha256

OTHER = b"GGUF of another model"
FILES = {"model.safetensors": b"weights" * 1000, "config.json": b"{}", "sub/vocab.txt": b"a\nb\n"}
DIGESTS = {name: sha256(data) for name, data in FILES.items()}
HUB = 'hub = "some one/repo"\npath = "T.gguf"'
AT = "/some%20one/repo/resolve/main/T.gguf"


def left_behind(home: Path) -> list[str]:
    """Everything under the models folder."""
    return sorted(path.relative_to(home / "models").as_posix() for path in (home / "models").rglob("*"))


def test_from_the_hub_through_its_redirect(catalogued: Callable[..., None], hub: Hub, home: Path) -> None:
    catalogued("tiny", HUB)
    hub.has(AT, status=302, Location="/store/1", X_Linked_Etag=f'"{sha256(GGUF)}"')
    hub.has("/store/1", GGUF)
    told: list[str] = []
    seen: list[tuple[str, int, int]] = []
    report = pull("tiny", lambda *step: seen.append(step), told.append)
    assert report.attempts == [("hub some one/repo", "ok")] and told == ["tiny: trying hub some one/repo"]
    assert hub.asked == [f"HEAD {AT}", f"GET {AT}", "GET /store/1"]
    assert models.resolve_llm("tiny").path.read_bytes() == GGUF
    assert left_behind(home) == ["tiny", "tiny/installed.json", "tiny/tiny.gguf"]
    assert seen[0][1] > 0 and seen[-1] == ("pulling tiny", 20_000, 20_000)
    hub.asked.clear()
    assert pull("tiny").attempts == [] and hub.asked == []


def test_several_files_at_a_revision(catalogued: Callable[..., None], hub: Hub) -> None:
    catalogued("enc", 'hub = "o/r"\nrevision = "abc"', files=DIGESTS, kind="encoder")
    for name, data in FILES.items():
        hub.has(f"/o/r/resolve/abc/{name}", data)
    pull("enc")
    folder = models.resolve_encoder("enc")
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


def test_a_model_whose_digest_differs_is_refused_and_not_kept(
    catalogued: Callable[..., None], hub: Hub, home: Path
) -> None:
    catalogued("tiny", HUB)
    hub.has(AT, OTHER)
    with pytest.raises(RefusedError) as caught:
        pull("tiny")
    assert f"is {sha256(OTHER)}, not {sha256(GGUF)}" in caught.value.message
    assert left_behind(home) == [] and not models.is_installed("tiny")


def test_a_hub_that_states_another_digest_is_not_downloaded_from(catalogued: Callable[..., None], hub: Hub) -> None:
    catalogued("tiny", HUB)
    hub.has(AT, GGUF, X_Linked_Etag=sha256(OTHER))
    with pytest.raises(RefusedError, match=f"there is {sha256(OTHER)}"):
        pull("tiny")
    assert hub.asked == [f"HEAD {AT}"]


TROUBLE: dict[str, tuple[Callable[[Hub], object], str]] = {
    "login": (lambda hub: hub.has(AT, status=401), r"asks for a login \(401\)"),
    "no such file": (lambda hub: hub.answers.clear(), r"no such file \(404\)"),
    "out of order": (lambda hub: hub.has(AT, status=503), r"failed \(503\)"),
    "cut off": (lambda hub: hub.has(AT, GGUF[:100], Content_Length=str(len(GGUF))), "broke off 10,144 bytes before"),
    "another file": (lambda hub: hub.has(AT, OTHER), f"the sha256 of tiny.gguf is {sha256(OTHER)}"),
    "far too long": (lambda hub: hub.has(AT, GGUF * 2000), "far larger than it should be"),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_trouble_with_one_source_leads_to_the_next(
    case: str, catalogued: Callable[..., None], hub: Hub, gguf: Path, home: Path
) -> None:
    trouble, why = TROUBLE[case]
    catalogued("tiny", HUB, f"local = '{gguf}'")
    trouble(hub)
    told: list[str] = []
    report = pull("tiny", say=told.append)
    assert [source for source, _ in report.attempts] == ["hub some one/repo", f"local {gguf}"]
    assert re.search(why, report.attempts[0][1]), report.attempts
    assert told == [
        "tiny: trying hub some one/repo",
        f"tiny: hub some one/repo: {report.attempts[0][1]}",
        f"tiny: trying local {gguf}",
    ]
    assert left_behind(home) == ["tiny", "tiny/installed.json", "tiny/tiny.gguf"]
    assert models.resolve_llm("tiny").sha256 == sha256(GGUF)


def test_a_hub_that_cannot_be_reached_is_no_error_where_another_source_works(
    catalogued: Callable[..., None], gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogued("tiny", HUB, f"local = '{gguf}'")
    with socket.socket() as nobody:  # bound, so that nothing else can listen there
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert pull("tiny").attempts[0] == ("hub some one/repo", "Connection refused")


def test_a_hub_that_does_not_answer_is_given_up_within_seconds(
    catalogued: Callable[..., None], gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sources.ANSWER_SECONDS <= 5
    monkeypatch.setattr(sources, "ANSWER_SECONDS", 0.2)
    catalogued("tiny", HUB, f"local = '{gguf}'")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and says nothing
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert pull("tiny").attempts == [("hub some one/repo", "timed out"), (f"local {gguf}", "ok")]


def test_no_source_at_all(catalogued: Callable[..., None], hub: Hub, home: Path) -> None:
    catalogued("tiny", HUB, 'local = "/no/where"')
    with pytest.raises(MolliaError, match=r"hub some one/repo: .* \(404\); local /no/where: No such file") as caught:
        pull("tiny")
    assert "mollia models add PATH --name tiny" in caught.value.hint
    assert left_behind(home) == []
    with pytest.raises(NotFoundError, match="no model is called 'tyni'"):
        pull("tyni")


def test_an_unknown_digest_is_pinned_at_the_first_pull(catalogued: Callable[..., None], hub: Hub, home: Path) -> None:
    catalogued("enc", 'hub = "o/r"', files={**DIGESTS, "config.json": ""}, kind="encoder")
    for name, data in FILES.items():
        hub.has(f"/o/r/resolve/main/{name}", data)
    assert pull("enc").pinned == {"config.json": DIGESTS["config.json"]}
    models.remove("enc")
    assert pull("enc").pinned == {}
    models.remove("enc")
    hub.has("/o/r/resolve/main/config.json", b"{ }")
    with pytest.raises(RefusedError, match=f"not {DIGESTS['config.json']} as pinned at the first pull"):
        pull("enc")
    assert left_behind(home) == []


def test_a_damaged_model_is_fetched_again(catalogued: Callable[..., None], gguf: Path) -> None:
    catalogued("tiny", f"local = '{gguf}'")
    pull("tiny")
    models.resolve_llm("tiny").path.write_bytes(GGUF[:100])
    with pytest.raises(RefusedError) as caught:
        models.resolve_llm("tiny")
    assert caught.value.hint == "mollia models pull tiny"
    assert pull("tiny").attempts == [(f"local {gguf}", "ok")]
    assert models.resolve_llm("tiny").sha256 == sha256(GGUF)


def test_a_new_digest_in_the_catalogue_means_a_new_pull(catalogued: Callable[..., None], gguf: Path) -> None:
    catalogued("tiny", f"local = '{gguf}'")
    pull("tiny")
    gguf.write_bytes(OTHER)
    catalogued("tiny", f"local = '{gguf}'", files={"tiny.gguf": sha256(OTHER)})
    pull("tiny")
    assert models.resolve_llm("tiny").sha256 == sha256(OTHER)


def test_an_interrupted_download_leaves_nothing(catalogued: Callable[..., None], hub: Hub, home: Path) -> None:
    catalogued("tiny", HUB)
    hub.has(AT, GGUF)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull("tiny", interrupt)
    assert left_behind(home) == []
    pull("tiny")
    assert models.is_installed("tiny")


def test_what_a_killed_pull_left_is_cleared_at_the_next(
    catalogued: Callable[..., None], gguf: Path, home: Path
) -> None:
    gguf.write_bytes(LARGE)
    catalogued("tiny", f"local = '{gguf}'", files={"tiny.gguf": sha256(LARGE)})
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (dead.pid, os.getpid()):
        (home / "models" / f".partial-{pid}-x").mkdir(parents=True)
        (home / "models" / f".partial-{pid}-x" / "half.gguf").write_bytes(b"GGUF")
    (home / f".digests.json.{dead.pid}.part").write_text("half")
    assert models.installed_names() == []
    pull("tiny")
    assert not list(home.glob("*.part"))
    partial = [name for name in left_behind(home) if name.startswith(".partial")]
    assert partial == [f".partial-{os.getpid()}-x", f".partial-{os.getpid()}-x/half.gguf"]


def test_a_full_disk_is_said_before_and_while(
    catalogued: Callable[..., None], gguf: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogued("tiny", f"local = '{gguf}'", size=3_000_000_000)
    free = shutil.disk_usage(gguf)._replace(free=1_000_000_000)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: free)
        with pytest.raises(MolliaError, match=r"needs 3\.0 GB, and .* has 1\.0 GB free"):
            pull("tiny")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    catalogued("tiny", f"local = '{gguf}'")
    monkeypatch.setattr(sources._File, "take", full)
    with pytest.raises(MolliaError, match="the disk is full"):
        pull("tiny")
    assert left_behind(home) == []
