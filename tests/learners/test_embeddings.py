"""What encoders made of texts is kept: half precision, mapped, right whatever is killed, and gone when forgotten."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.learners import embeddings
from mollia_cli.learners.base import in_parts
from mollia_cli.learners.embeddings import EmbeddingStore, Vectors, forget_texts, text_key


def vector(text: str) -> list[list[float]]:
    """[2, 3] of a text, alike wherever it is made."""
    return np.random.default_rng(list(text.encode())).normal(size=(2, 3)).tolist()


@pytest.fixture
def asked() -> list[list[str]]:
    return []


@pytest.fixture
def read(asked: list[list[str]]) -> Callable[[Sequence[str]], Vectors]:
    def made(texts: Sequence[str]) -> Vectors:
        asked.append(list(texts))
        return np.array([vector(text) for text in texts], dtype=np.float32).reshape(-1, 2, 3)

    return made


def expected(*texts: str) -> Vectors:
    return np.array([vector(text) for text in texts]).astype(np.float16)


def test_a_text_is_read_once_the_longest_first(tmp_path: Path, read, asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "PART", 2)
    folder = tmp_path / "all" / "one"
    found = EmbeddingStore(folder).get(["a", "bbb", "a", "cc"], read)
    np.testing.assert_array_equal(found, expected("a", "bbb", "a", "cc"))
    assert asked == [["bbb", "cc"], ["a"]]
    store = EmbeddingStore(folder)
    parts = list(store.parts(["dddd", "a", "bbb"], read, 2))
    assert [len(part) for part in parts] == [2, 1]
    np.testing.assert_array_equal(np.concatenate(parts), expected("dddd", "a", "bbb"))
    assert asked[2:] == [["dddd"]]
    assert store.missing(["x", "a", "yy", "x"]) == ["yy", "x"]
    assert store.get([], read).shape == (0, 2, 3)
    for path in (folder, *folder.iterdir()):
        assert path.stat().st_mode & 0o077 == 0
    assert sum(path.stat().st_size for path in folder.iterdir()) == 4 * (16 + 2 * 2 * 3)


def test_what_is_not_kept_is_the_same(tmp_path: Path, read, asked) -> None:
    nowhere = EmbeddingStore(None)
    np.testing.assert_array_equal(nowhere.get(["a", "b"], read), expected("a", "b"))
    np.testing.assert_array_equal(np.concatenate(list(nowhere.parts(["a", "b"], read, 1))), expected("a", "b"))
    EmbeddingStore(tmp_path / "one").get(["a"], read)
    asked.clear()
    some = EmbeddingStore(tmp_path / "one", keeps=lambda text: text == "ccc")
    np.testing.assert_array_equal(some.get(["b", "a", "ccc"], read), expected("b", "a", "ccc"))
    [part] = some.parts(["b", "ccc"], read, 9)
    np.testing.assert_array_equal(part, expected("b", "ccc"))
    assert asked == [["ccc", "b"], ["b"]]
    assert some.missing(["b", "a", "ccc"]) == ["b"]
    large = EmbeddingStore(None).get(["x"], lambda _: np.array([[1e9, -1e9, 1.0]]))
    np.testing.assert_array_equal(large, [[65504, -65504, 1]])


def test_what_another_process_keeps_is_found(tmp_path: Path, read, asked) -> None:
    one, other = (EmbeddingStore(tmp_path / "one") for _ in range(2))
    one.get(["a"], read)
    other.get(["b"], read)
    one.get(["c", "b", "a"], read)
    np.testing.assert_array_equal(other.get(["c", "a"], read), expected("c", "a"))
    assert asked == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("cut", ["keys", "vectors.2x3.float16"])
@pytest.mark.parametrize("left", [0, 1, 17, 47])
def test_of_a_file_that_was_cut_the_rest_counts(tmp_path: Path, read, cut: str, left: int) -> None:
    folder = tmp_path / "one"
    EmbeddingStore(folder).get(["dd", "c", "b", "a"], read)
    os.truncate(folder / cut, left)
    rows = min(left // (16 if cut == "keys" else 12), 4)
    store = EmbeddingStore(folder)
    assert len(store.missing(["dd", "c", "b", "a"])) == 4 - rows
    np.testing.assert_array_equal(store.get(["other"], read), expected("other"))
    np.testing.assert_array_equal(store.get(["a", "b", "dd", "c"], read), expected("a", "b", "dd", "c"))
    np.testing.assert_array_equal(EmbeddingStore(folder).get(["c", "dd"], read), expected("c", "dd"))


def test_a_key_that_is_left_over_names_no_other_vector(tmp_path: Path, read, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "one"
    EmbeddingStore(folder).get(["dd", "c", "b"], read)
    os.truncate(folder / "vectors.2x3.float16", 12)
    write = embeddings._write

    def killed(path: Path, at: int, data: bytes) -> None:
        if path.name == "keys":
            raise KeyboardInterrupt
        write(path, at, data)

    monkeypatch.setattr(embeddings, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        EmbeddingStore(folder).get(["xxx", "yy"], read)
    monkeypatch.undo()
    np.testing.assert_array_equal(EmbeddingStore(folder).get(["b", "c", "dd"], read), expected("b", "c", "dd"))


def test_a_file_that_is_gone_is_made_again(tmp_path: Path, read) -> None:
    folder = tmp_path / "one"
    store = EmbeddingStore(folder)
    for name in ("keys", "vectors.2x3.float16"):
        store.get(["a", "b"], read)
        (folder / name).unlink()
        np.testing.assert_array_equal(store.get(["b", "c"], read), expected("b", "c"))
        np.testing.assert_array_equal(EmbeddingStore(folder).get(["b", "a"], read), expected("b", "a"))


_WRITES = """
import sys, numpy as np
from pathlib import Path
from mollia_cli.learners.embeddings import EmbeddingStore
sys.path.insert(0, sys.argv[3])
from test_embeddings import vector
store = EmbeddingStore(Path(sys.argv[1]))
print(flush=True)
for n in range(10**6):
    store.get([f"{sys.argv[2]} {n} {k}" for k in range(50)], lambda texts: np.array([vector(text) for text in texts]))
"""


@pytest.mark.proof
def test_whatever_is_killed_leaves_only_what_is_right(tmp_path: Path) -> None:
    folder, rng = tmp_path / "one", np.random.default_rng(0)
    kept = 0
    for turn in range(6):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", _WRITES, str(folder), f"{turn}{k}", str(Path(__file__).parent)],
                stdout=subprocess.PIPE,
            )
            for k in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(0.2 + float(rng.random()) / 5)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.communicate()
        store = EmbeddingStore(folder)
        texts = [f"{t}{k} {n} {i}" for t in range(turn + 1) for k in range(2) for n in range(60) for i in range(50)]
        missing = set(store.missing(texts))
        known = [text for text in texts if text not in missing]
        np.testing.assert_array_equal(store.get(known, None), expected(*known))
        assert len(known) > kept
        kept = len(known)


def test_what_is_forgotten_is_overwritten_and_nothing_else(tmp_path: Path, read, asked) -> None:
    for encoder in ("x", "y"):
        EmbeddingStore(tmp_path / encoder).get(["secret", "plain"], read)
        EmbeddingStore(tmp_path / encoder).get(["other"], read)
    EmbeddingStore(tmp_path / "z").get(["other"], read)
    open_since = EmbeddingStore(tmp_path / "x")
    assert open_since.missing(["secret"]) == []
    trace = expected("secret").tobytes()
    assert trace in (tmp_path / "x" / "vectors.2x3.float16").read_bytes()
    assert list(forget_texts(tmp_path, ["secret", "never"])) == [tmp_path / "x" / "keys", tmp_path / "y" / "keys"]
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert not any(part in path.read_bytes() for part in (trace, text_key("secret")))
    for store in (open_since, *(EmbeddingStore(tmp_path / encoder) for encoder in ("x", "y"))):
        assert store.missing(["secret", "plain", "other"]) == ["secret"]
    np.testing.assert_array_equal(open_since.get(["other", "secret"], read), expected("other", "secret"))
    assert list(forget_texts(tmp_path / "nothing", ["secret"])) == []


def test_what_was_killed_while_it_forgot_or_wrote_is_overwritten_by_the_next(tmp_path: Path, read) -> None:
    folder = tmp_path / "one"
    EmbeddingStore(folder).get(["secret", "plain"], read)
    keys, vectors = folder / "keys", folder / "vectors.2x3.float16"
    keys.write_bytes(bytes(16) + keys.read_bytes()[16:])  # the key is gone, its vector is not
    vectors.write_bytes(vectors.read_bytes() + expected("half").tobytes()[:8])
    assert list(forget_texts(tmp_path, ["other"])) == []
    assert vectors.read_bytes() == bytes(12) + expected("plain").tobytes()


def _write(folder: Path, name: str) -> None:
    store = EmbeddingStore(folder)
    for n in range(30):
        store.get([f"{name} {n}"], lambda texts: np.array([vector(text) for text in texts]))


def test_two_processes_write_one_after_the_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path / "one", name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    texts = [f"{name} {n}" for n in range(30) for name in "ab"]
    np.testing.assert_array_equal(EmbeddingStore(tmp_path / "one").get(texts, None), expected(*texts))


def test_a_large_signal_is_in_a_file_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def parts():
        for start in (0, 3):
            rows = np.arange(start, min(start + 3, 5))
            states = np.tile(rows, (2, 1)).T.astype(np.float16)
            yield {"embeddings": states, "dropout": np.tile(rows, (4, 1))[..., None]}

    small = in_parts(parts(), 5, None)
    assert small["dropout"].shape == (4, 5, 1)
    assert small["embeddings"][:, 1].tolist() == small["dropout"][2, :, 0].tolist() == [0, 1, 2, 3, 4]
    monkeypatch.setattr("mollia_cli.learners.base._IN_MEMORY", 16)
    large = in_parts(parts(), 5, tmp_path)
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    assert list(tmp_path.iterdir()) == []
    for name, values in small.items():
        np.testing.assert_array_equal(large[name], values)
