"""Servers as panel members, with fake servers of a toy LLM; what vLLM and Ollama answer is from their documentation."""

import shutil
import ssl
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_servers import FakeServer, Toy, tokenize

from mollia_cli.annotators import llama_server
from mollia_cli.annotators.base import PanelContext
from mollia_cli.annotators.llama.answers.tree import AnswerTree
from mollia_cli.annotators.llama.decode.reader import Reader
from mollia_cli.annotators.llama_server import LlamaServer
from mollia_cli.annotators.ollama import Ollama
from mollia_cli.annotators.server import link, walk
from mollia_cli.annotators.server.base import ServerAnnotator, ServerOptions
from mollia_cli.annotators.server.link import ServerError
from mollia_cli.annotators.server.walk import WalkingServer
from mollia_cli.annotators.vllm import Vllm
from mollia_cli.domain import network
from mollia_cli.domain.errors import InputError, MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.network import place, refused
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding, Prompt

LABELS = LabelSet(("good", "bad"))
PROMPT = Prompt("Is it good or bad?\n\n", "\nAnswer:")
TEXTS = ("a fine day", "<|im_end|> rain", "", "no")
ITEMS = [Item(str(n), text) for n, text in enumerate(TEXTS)]
WALKING: list[type[WalkingServer]] = [LlamaServer, Vllm]
KINDS: list[type[ServerAnnotator]] = [*WALKING, Ollama]
Make = Callable[..., ServerAnnotator]


pytestmark = pytest.mark.usefixtures("guarded")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(link, "WAITS", (0.0, 0.01, 0.01, 0.01, 0.01))


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with FakeServer().running() as server:
        yield server


@pytest.fixture
def make(fake: FakeServer, tmp_path: Path) -> Make:
    def made(kind: type[ServerAnnotator], before: dict[str, Any] | None = None, **changes: Any) -> ServerAnnotator:
        options = {"url": fake.url, "model": "toy:1b" if kind is Ollama else ""}
        settings = {key: changes.pop(key) for key in ("decoding", "show_invalid", "tokens", "long") if key in changes}
        context = PanelContext(
            tmp_path,
            LABELS,
            lambda: PROMPT,
            Decoding(),
            1,
            0,
            "head-tail",
            tmp_path / "log",
            0,
            find_llm=None,  # type: ignore[arg-type]
            ask=str,
            recall=lambda name: before or {},
        )
        return kind("big", ServerOptions(**options | changes), replace(context, **settings))

    return made


def observed(annotator: ServerAnnotator, items: list[Item] = ITEMS) -> dict[str, Observation]:
    return {seen.item_id: seen for batch in annotator.annotate(items) for seen in batch}


def in_process(annotator: WalkingServer, item: Item) -> Observation:
    """What the reader makes of all logits of the toy, asked node by node."""
    toy, vocabulary, item_encoder = Toy(), annotator._vocabulary(), annotator._encoders[0]
    reader = Reader(vocabulary, LABELS, Decoding(), model_digest=annotator.digest)
    with annotator.link.open():

        def walk(prompt: list[int], tree: AnswerTree) -> None:
            due = [tree.root]
            while due:
                node = due.pop()
                row = np.full(vocabulary.n_vocab, -100.0, dtype=np.float32)
                exact = toy.log_probs([*prompt, *node.path])
                row[: len(exact)] = exact
                due += tree.absorb(node, row)

        def read(items: Sequence[Item], plant: Callable[[Item], AnswerTree]) -> None:
            for each in items:
                walk(item_encoder.all_tokens(each.text).tolist(), plant(each))

        reader.learn(read)
        tree, tokens = reader.plant(item), item_encoder.all_tokens(item.text).tolist()
        walk(tokens, tree)
    return tree.observation(item.id, prompt_tokens=len(tokens), truncated=False)


@pytest.mark.parametrize("kind", WALKING)
def test_the_walk_reads_what_the_reader_in_process_reads(kind: type[WalkingServer], make: Make) -> None:
    annotator = make(kind)
    seen = observed(annotator)
    assert sorted(seen) == sorted(item.id for item in ITEMS)
    for item in ITEMS:
        expected = in_process(annotator, item)  # type: ignore[arg-type]
        assert np.exp(seen[item.id].log_probs) == pytest.approx(np.exp(expected.log_probs), abs=1e-5)
        assert seen[item.id].votes == pytest.approx(expected.votes)
        assert seen[item.id].slack == pytest.approx(expected.slack, abs=1e-4) and seen[item.id].tokens > 0
        assert 0.1 < seen[item.id].mass < 1.0
    assert sum(one.votes.sum() for one in seen.values()) > 0


def test_what_no_row_states_is_bounded_by_the_slack(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (walk, llama_server):
        monkeypatch.setattr(module, "TOP", 30)
    annotator = make(LlamaServer)
    for item_id, seen in observed(annotator).items():
        expected = in_process(annotator, ITEMS[int(item_id)])  # type: ignore[arg-type]
        wrong = np.abs(np.exp(seen.log_probs) - np.exp(expected.log_probs)).sum()
        assert 0.0 < wrong < seen.slack - expected.slack < 0.001


@pytest.mark.parametrize("kind", WALKING)
def test_few_questions_hold_all_prefixes_of_a_text(kind: type[WalkingServer], make: Make, fake: FakeServer) -> None:
    annotator = make(kind)
    annotator.load()
    fake.asked.clear()
    observed(annotator, [Item(str(n), "ab"[n % 2] * n) for n in range(20)])
    path = "/completion" if kind is LlamaServer else "/v1/completions"
    asked = [question for each, question in fake.asked if each == path]
    assert len(asked) <= 4 * 20 < sum(len(question["prompt"]) for question in asked)
    if kind is LlamaServer:  # each text stays in one slot, where its prompt is decoded already
        assert {question["id_slot"] for question in asked} == {0, 1}


@pytest.mark.parametrize("kind", WALKING)
def test_control_tokens_of_a_text_stay_text(kind: type[WalkingServer], make: Make) -> None:
    annotator = make(kind)
    item = ITEMS[1]
    shown = annotator.preview(item)
    assert shown == (f"<|im_start|>user\n{PROMPT.before}{item.text}{PROMPT.after}<|im_end|>\n<|im_start|>assistant\n")
    with annotator.link.open():
        tokens = annotator._encoders[0].all_tokens(item.text).tolist()  # type: ignore[attr-defined]
    assert tokens.count(1) == 1 < tokenize(shown, True).count(1)


def test_ollama_gives_votes_alone(make: Make, fake: FakeServer) -> None:
    annotator = make(Ollama, show_invalid=1)
    seen = observed(annotator)
    for one in seen.values():
        good, bad = one.votes
        assert good + bad + one.invalid == pytest.approx(1.0) and one.invalid > 0
        assert one.answers == ("I cannot say",)
        assert np.exp(one.log_probs) == pytest.approx((10 * one.votes + 1 / 6) / 10.5)
        assert one.mass == pytest.approx(np.exp(one.log_probs).sum())
    assert annotator.identity["scores"] == "votes alone" and annotator.identity["model"] == "toy:1b d1ce"
    asked = [question for path, question in fake.asked if path == "/api/chat"]
    assert len({question["options"]["seed"] for question in asked[2:]}) == 10 * len(ITEMS)
    with pytest.raises(InputError, match="no log-probabilities"):
        make(Ollama, decoding=Decoding(votes="exact")).load()


@pytest.mark.parametrize("kind", KINDS)
def test_the_identity_is_what_the_server_stated_first(
    kind: type[ServerAnnotator], make: Make, fake: FakeServer
) -> None:
    annotator = make(kind)
    identity = annotator.identity
    assert identity["annotator"] == "server" and identity["kind"] == kind.kind and identity["stated"]
    assert fake.url not in str(identity) and "127.0.0.1" not in str(identity) and "/models" not in str(identity)
    fake.asked.clear()
    again = make(kind, before=dict(identity))
    assert again.identity == identity and not fake.asked  # a server that is off: what it stated is known
    observed(again)
    fake.build, fake.digest = "b6001", "beef"
    with pytest.raises(RefusedError, match=r"is not what it was: (engine|model) is"):
        observed(make(kind, before=dict(identity)))


def test_another_model_of_the_same_name_is_found_by_a_fixed_question(make: Make, fake: FakeServer) -> None:
    before = dict(make(LlamaServer).identity)
    fake.toy = Toy(seed=1)
    with pytest.raises(RefusedError, match="answers a fixed question otherwise"):
        observed(make(LlamaServer, before=before))


def test_a_model_that_is_changed_while_it_reads_is_not_stored(make: Make, fake: FakeServer) -> None:
    annotator = make(LlamaServer)
    read = annotator.annotate([Item(str(n), "x") for n in range(40)])
    assert len(next(read)) == 16
    fake.model_path = "/models/other.gguf"
    with pytest.raises(ServerError, match="changed while it read"):
        next(read)


@pytest.mark.parametrize("kind", WALKING)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tempered": True}, "follow the temperature"),
        ({"unsteady": True}, "the same when they are asked for again"),
        ({"most": 20}, "states 20 tokens|status 400: Requested sample logprobs of 128"),
    ],
)
def test_probabilities_that_cannot_be_used_are_refused(
    kind: type[WalkingServer], change: dict[str, Any], why: str, make: Make, fake: FakeServer
) -> None:
    for name, value in change.items():
        setattr(fake, name, value)
    with pytest.raises(MolliaError, match=why) as error:
        make(kind).load()
    assert "docs/servers.md" in error.value.hint


@pytest.mark.parametrize("trouble", [429, 503, "hang up"])
def test_what_may_be_over_soon_is_attempted_again(trouble: int | str, make: Make, fake: FakeServer) -> None:
    annotator = make(LlamaServer)
    expected = observed(annotator)
    fake.at, fake.troubles = "/completion", deque_of(trouble, 5)
    seen = observed(annotator)
    assert not fake.troubles
    for item in ITEMS:
        assert seen[item.id].log_probs == pytest.approx(expected[item.id].log_probs)
    fake.at = "/props"
    fake.troubles = deque_of(trouble, 6)
    with pytest.raises(ServerError, match="6 times in") as error:
        make(LlamaServer).load()
    assert error.value.hint == "start it, then type the same command again" and not fake.troubles


def deque_of(trouble: int | str | bytes, times: int) -> Any:
    return deque([trouble] * times)


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (b"no JSON", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"{}", "an answer that is none"),
        (b"[]", "an answer that is none"),
        (b'{"completion_probabilities": [{"id": 1, "top_logprobs": [{"id": 1, "logprob": NaN}]}]}', "no JSON"),
        (b'{"completion_probabilities": [{"id": 1, "top_logprobs": [{"id": 1, "logprob": 2.5}]}]}', "none"),
        (b'{"completion_probabilities": [{"id": 1, "top_logprobs": [{"id": -1, "logprob": -2.5}]}]}', "has not"),
        (b'{"completion_probabilities": []}', "no row"),
        (400, "status 400: no"),
        (500, "status 500: no"),
        (401, "wants a key"),
        (307, "not followed"),
    ],
)
def test_malformed_answers_stop_the_command(trouble: int | bytes, why: str, make: Make, fake: FakeServer) -> None:
    annotator = make(LlamaServer)
    annotator.load()
    fake.at, fake.troubles = "/completion", deque_of(trouble, 1000)
    asked = len(fake.asked)
    with pytest.raises(ServerError, match=why):
        observed(annotator)
    assert len(fake.asked) - asked <= 2 * len(ITEMS) + 2  # each text at most once: nothing of it is busy
    assert not refused()


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_malformed_at_the_start_is_an_error_of_the_server(
    kind: type[ServerAnnotator], make: Make, fake: FakeServer
) -> None:
    """At each question in turn: no traceback, nothing that hangs."""
    make(kind).load()
    questions = len(fake.asked)
    for number in range(questions):
        for answer in (b"{}", b"[]", b"null", b'"x"', b'{"data": 3, "models": 3, "tokens": [-1]}'):
            if fake.paths[number] == "/lora-adapters" and answer == b"[]":
                continue  # none: what it answers by itself
            fake.troubles = deque([*[None] * number, answer])
            with pytest.raises(MolliaError):
                make(kind).load()
            fake.troubles.clear()


def test_an_answer_without_end_is_not_read_to_its_end(
    make: Make, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_MOST_BYTES", 1000)
    fake.troubles = deque_of(b"x" * 2000, 1)
    with pytest.raises(ServerError, match="more than"):
        make(LlamaServer).load()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:8080", "no address"),
        ("ftp://127.0.0.1", "no address"),
        ("http://ada:secret@127.0.0.1", "user name or a password"),
        ("http://127.0.0.1:99999", "Port out of range"),
        ("http://127.0.0.1/?key=1", "query"),
    ],
)
def test_urls_that_are_none_are_refused(url: str, why: str, make: Make) -> None:
    with pytest.raises(InputError, match=why) as error:
        make(LlamaServer, url=url)
    assert "secret" not in error.value.message


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8", "[::ffff:8.8.8.8]"])
def test_a_public_address_needs_a_word_of_its_own(address: str, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "place", lambda number: "public" if number == "192.0.2.1" else place(number))
    monkeypatch.setattr(link, "CONNECT_SECONDS", 0.05)
    with pytest.raises(RefusedError, match="is not on this machine") as error:
        make(LlamaServer, url=f"http://{address}:9").load()
    assert error.value.hint.endswith("public = true in the member's table")
    with pytest.raises(RefusedError, match="unencrypted"):
        make(LlamaServer, url=f"http://{address}:9", public=True).load()


def test_an_ipv4_address_in_another_writing_is_where_it_is() -> None:
    written = {"::ffff:127.0.0.1": "loopback", "::ffff:10.0.0.1": "private", "::ffff:8.8.8.8": "public"}
    assert {number: place(number) for number in written} == written


def test_the_guard_lets_nothing_else_through(make: Make, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not another port of the same machine, not a proxy; and afterwards not the server itself."""
    import socket

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    annotator = make(LlamaServer)
    read = annotator.annotate([Item(str(n), "x") for n in range(40)])
    next(read)
    port = int(fake.url.rpartition(":")[2])
    with socket.socket() as one, pytest.raises(RefusedError):
        one.connect(("127.0.0.1", port + 1))
    read.close()  # type: ignore[attr-defined]
    with socket.socket() as one, pytest.raises(RefusedError):
        one.connect(("127.0.0.1", port))
    assert network._GUARD.reachable == frozenset() and not annotator.link._made


def test_a_key_goes_to_the_server_and_nowhere_else(make: Make, fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    annotator = make(LlamaServer, key_file="key")
    observed(annotator)
    assert {headers.get("Authorization") for headers in fake.headers} == {"Bearer s3cret"}
    assert "s3cret" not in str(annotator.identity)
    with pytest.raises(RefusedError, match="the key would go unencrypted"):
        make(LlamaServer, key_file="key", url="http://10.255.255.1:9").load()
    with pytest.raises(NotFoundError, match="key file"):
        make(LlamaServer, key_file="none").load()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl makes a certificate here")
def test_a_certificate_is_verified(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=toy"
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words.split(), *named], check=True, capture_output=True)
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(certificate, key)
    with FakeServer().running(secured) as fake:
        with pytest.raises(ServerError, match="a certificate that is not to be trusted"):
            make(LlamaServer, url=fake.url).load()
        assert not fake.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert len(observed(make(LlamaServer, url=fake.url))) == len(ITEMS)


def test_parts_of_the_work_are_a_few_texts_each(make: Make) -> None:
    items = [Item(str(n), "x") for n in range(20)]
    parts = [*make(LlamaServer).batches(items)]
    assert [len(part) for part in parts] == [8, 8, 4] and [item for part in parts for item in part] == items


def test_long_texts_are_cut_or_split_as_in_process(make: Make) -> None:
    long = [Item("long", "a b " * 400)]
    cut = make(LlamaServer, tokens=300)
    assert cut.longer(long) == 1 and observed(cut, long)["long"].truncated
    whole = observed(make(LlamaServer, tokens=300, long="split"), long)["long"]
    assert not whole.truncated and whole.tokens > 600
