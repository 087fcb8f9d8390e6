"""The review in a browser: who is let in, what an act does, and, in a real Chromium, that keys label."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from chromium import BROWSER, MISSING, Chromium

from mollia_cli.cli.review_web import serve
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.insight.review import Review, open_labelling, open_review
from mollia_cli.project.context import Project


class Page:
    """What a browser sends, by hand. ``address``: as mollia printed it."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port, self.entrance = parts.netloc, parts.port, f"{parts.path}?{parts.query}"
        self.cookie = ""

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Host": self.host, "Cookie": self.cookie, "Origin": f"http://{self.host}"} | headers
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), text

    def enter(self) -> None:
        _, headers, _ = self.send("GET", self.entrance)
        self.cookie = headers["Set-Cookie"].split(";")[0]

    def act(self, **asked: Any) -> dict[str, Any]:
        status, _, text = self.send("POST", "/act", {"item": self.state()["item"]} | asked)
        assert status == 200, (status, text)
        return json.loads(text)

    def state(self) -> dict[str, Any]:
        return json.loads(self.send("GET", "/state")[2])


def visit(review: Review, script: Callable[[Page], None]) -> None:
    """Serve the review while the script, in another thread, plays the browser; Ctrl-C ends it."""
    failures: list[BaseException] = []

    def told(address: str) -> None:
        def play() -> None:
            try:
                script(Page(address))
            except BaseException as error:
                failures.append(error)
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        Thread(target=play, daemon=True).start()

    serve(review, 0, told)
    for failure in failures:
        raise failure


def unaided(project: Project) -> Review:
    """All of the pool, in a sitting that needs no verdicts."""
    return Review(project, project.store.items.ids("pool"), "anna", "random")


def test_the_token_opens_once_and_becomes_a_cookie_that_scripts_cannot_read(observed: Project) -> None:
    def script(page: Page) -> None:
        assert page.entrance.startswith("/?token=") and len(page.entrance) > 40
        assert page.send("GET", "/")[0] == page.send("GET", "/state")[0] == 403
        assert page.send("GET", "/?token=wrong")[0] == 403
        status, headers, _ = page.send("GET", page.entrance)
        assert (status, headers["Location"]) == (303, "/")
        cookie, *rules = headers["Set-Cookie"].split("; ")
        assert sorted(rules) == ["HttpOnly", "Path=/", "SameSite=Strict"]
        assert page.entrance.partition("=")[2] not in cookie
        again, _, text = page.send("GET", page.entrance)
        assert again == 403 and "works once" in text
        page.cookie = cookie
        assert page.send("GET", "/")[0] == page.send("GET", "/state")[0] == 200
        assert page.send("GET", page.entrance)[0] == 303  # a tab that the browser opens again
        assert page.send("GET", "/state", Cookie=cookie[:-1])[0] == 403

    visit(unaided(observed), script)


def test_other_hosts_and_other_pages_are_refused(observed: Project) -> None:
    review = unaided(observed)

    def script(page: Page) -> None:
        port = page.port
        for host in ("evil.example", f"evil.example:{port}", f"localhost:{port}", "127.0.0.1", "127.0.0.1:1"):
            assert page.send("GET", page.entrance, Host=host)[0] == 403, host
        page.enter()
        label = {"act": "label", "item": review.queue[0], "label": 0}
        for origin in ("http://evil.example", "null", "", f"https://127.0.0.1:{port}"):
            assert page.send("POST", "/act", label, Origin=origin)[0] == 403, origin
        assert page.send("POST", "/act", label, Host=f"evil.example:{port}")[0] == 403
        assert page.send("POST", "/act", label, Cookie="")[0] == 403

    visit(review, script)
    assert not review.made and not observed.store.decisions.labels()


def test_every_answer_keeps_to_itself(observed: Project) -> None:
    def script(page: Page) -> None:
        page.enter()
        for path in ("/", "/page.js", "/page.css", "/state", "/none"):
            _, headers, text = page.send("GET", path)
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy
            assert "frame-ancestors 'none'" in policy and headers["Cache-Control"] == "no-store"
            assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Content-Type-Options"] == "nosniff"
            assert not re.search(r"https?:|//[a-z]+\.", text), "an outside reference"

    visit(unaided(observed), script)


def test_acts_are_those_of_the_terminal_and_stored_at_once(observed: Project) -> None:
    review = open_review(observed, who="anna")
    first, second, third = review.queue[:3]

    def script(page: Page) -> None:
        page.enter()
        state = page.state()
        assert (state["item"], state["place"], state["who"]) == (first, "1 of 200", "anna")
        assert [one["name"] for one in state["opinions"]][:2] == ["verdict", "ada"]
        assert abs(sum(state["opinions"][0]["scores"]) - 1) < 1e-6 and state["verdict"] is not None
        assert [label["key"] for label in state["labels"]] == ["1", "2", "3", "4"]
        said = page.act(act="label", label=2)
        assert (said["item"], said["said"]) == (second, "saved: blue · u takes it back")
        assert page.act(act="note", text=" odd \n")["remark"] == "note: odd"
        assert page.act(act="ignore")["item"] == third
        assert "is no label" in page.act(act="name", text="mauve")["said"]
        page.act(act="name", text="gree")
        back = page.act(act="skip", steps=-1)
        assert (back["item"], back["decided"]) == (third, 1) and back["remark"].startswith("labelled green by anna")
        undone = page.act(act="undo")
        assert undone["said"] == "taken back: green" and undone["decided"] is None
        assert "next: 10 texts with" in page.act(act="find", text="text 7")["said"]

    visit(review, script)
    assert observed.store.decisions.labels() == {first: 2}
    assert observed.store.decisions.ignored() == {second} and observed.store.decisions.note(second) == "odd"


def test_a_second_tab_cannot_label_what_it_does_not_show(observed: Project) -> None:
    review = unaided(observed)
    first, second = review.queue[:2]

    def script(page: Page) -> None:
        page.enter()
        page.act(act="label", label=0)
        late = page.act(act="label", item=first, label=3)
        assert late["item"] == second and "another tab has gone on" in late["said"]

    visit(review, script)
    assert observed.store.decisions.labels() == {first: 0}


def test_what_is_no_act_changes_nothing(observed: Project) -> None:
    review = unaided(observed)
    incomplete = ({"act": "label"}, {"act": "label", "label": 4}, {"act": "label", "label": -1}, {"act": "skip"})
    bodies = [[], 3, {"act": "drop"}, "x" * (1 << 16), *({"item": review.queue[0]} | body for body in incomplete)]

    def script(page: Page) -> None:
        page.enter()
        for body in bodies:
            assert page.send("POST", "/act", body)[0] == 400, body
        assert page.state()["place"] == "1 of 200"

    visit(review, script)
    assert not review.made


def test_seed_items_come_without_a_machines_opinion_and_behind_the_last_is_nothing(observed: Project) -> None:
    review = open_labelling(observed, seeds=61)

    def script(page: Page) -> None:
        page.enter()
        assert page.state()["opinions"] == [] and page.state()["verdict"] is None
        after = page.act(act="label", label=1)
        assert after["item"] is None and after["place"] == "all 1 seen"
        assert page.send("POST", "/act", {"act": "label", "item": None, "label": 1})[0] == 400
        assert page.act(act="skip", steps=-1)["decided"] == 1

    visit(review, script)


def test_the_classifiers_opinion_comes_when_it_has_read_the_text(observed: Project) -> None:
    class Learner:
        def predict_proba(self, texts: list[str]) -> np.ndarray:
            return np.tile([0.1, 0.2, 0.3, 0.4], (len(texts), 1))

    review = unaided(observed)
    review._load = Learner  # type: ignore[assignment]

    def script(page: Page) -> None:
        page.enter()
        for _ in range(200):
            state = page.state()
            if not state["waiting"] and state["opinions"][-1]["scores"]:
                break
        assert state["opinions"][-1] == {"name": "classifier", "scores": [0.1, 0.2, 0.3, 0.4]}

    visit(review, script)


def test_texts_cannot_turn_the_page_around(observed: Project) -> None:
    item = Item("evil", "<img src=x onerror=alert(1)> \u202egnirts \x1b[31m", "pool")
    with observed.store.transaction():
        observed.store.items.add([item], "made up")
    review = unaided(observed)
    review.find("onerror")

    def script(page: Page) -> None:
        page.enter()
        assert page.state()["text"] == "<img src=x onerror=alert(1)> \\u202egnirts \\x1b[31m"

    visit(review, script)


def test_a_port_that_is_taken_is_a_sentence(observed: Project) -> None:
    def script(page: Page) -> None:
        with pytest.raises(RefusedError, match=f"port {page.port} of this machine cannot be used"):
            serve(review, page.port or 0, print)

    review = unaided(observed)
    visit(review, script)


@pytest.mark.proof
@pytest.mark.skipif(not BROWSER, reason=MISSING)
def test_in_a_real_browser_keys_label_and_tabs_share_the_sitting(observed: Project, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("MOLLIA_PICTURES") or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    (observed.root / "guidelines.md").write_text("When in doubt: grey.")
    queue = open_review(observed, who="anna").queue
    command = [sys.executable, "-m", "mollia_cli", "review", "--web", "--who", "anna", "-p", str(observed.root)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program,
        ExitStack() as stack,
        Chromium(tmp_path) as browser,
    ):
        stack.callback(program.kill)
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        own = address.partition("?")[0]
        tab = browser.tab(1000, 760)
        assert tab.open(address) == 200 and tab.run("location.href") == own
        tab.until("document.querySelectorAll('#labels button').length == 4")
        tab.picture(pictures / "review-web.png")
        tab.press("3", "1", "4")  # at once: each is for the text whose turn it is then
        tab.until("document.getElementById('place').textContent == '4 of 100'")
        assert observed.store.decisions.labels() == {queue[0]: 2, queue[1]: 0, queue[2]: 3}
        tab.press("n")
        tab.press(*"1q?", "Enter")  # letters of a note, not keys
        tab.until("document.getElementById('remark').textContent == 'note: 1q?'")
        tab.press("i", "u", "ArrowLeft")
        tab.until("document.getElementById('remark').textContent.startsWith('labelled grey by anna')")
        tab.picture(pictures / "review-web-labelled.png")
        assert tab.run("document.cookie") == "", "a script can read the cookie"
        tab.press("?")
        assert "When in doubt: grey." in tab.run("document.getElementById('help').innerText")
        tab.picture(pictures / "review-web-help.png")
        second = browser.tab(390, 844, phone=True)
        assert second.open(own) == 200
        second.until("document.getElementById('place').textContent == '3 of 100'")
        second.picture(pictures / "review-web-second-tab.png")
        assert second.run("document.documentElement.scrollWidth") == 390
        assert all(asked.startswith(own) for one in (tab, second) for asked in one.asked())
        assert not tab.complaints() and not second.complaints()
        stranger = browser.tab(private=True)
        assert stranger.open(own) == stranger.open(address) == 403
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=60)
        assert program.returncode == 0 and "stored: 3 labels, 0 ignored, 1 note, by anna" in said
        second.press("1")
        second.until("document.getElementById('said').textContent.startsWith('mollia has ended')")
    assert observed.store.decisions.labels() == {queue[0]: 2, queue[1]: 0, queue[2]: 3}
