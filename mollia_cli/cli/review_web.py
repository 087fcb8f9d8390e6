"""The browser's form of ``mollia review``: a page on this machine's loopback, for people who do not live in a terminal.

Not textual-serve (1.1.3), which serves the terminal program as it is: its page asks fonts.googleapis.com for a font, it
has no token and looks neither at Host nor at Origin, it starts the command anew for each tab (each with a classifier
of its own, and nobody's place kept), it sends its child the program's whole environment through a shell, and a
terminal that is drawn on a canvas has no text for a screen reader or a search. It also needs aiohttp (11 packages).

Who may speak: the address has a token that works once and is exchanged for a cookie (HttpOnly, SameSite=Strict); Host
must be this very address, so that a name which somebody points at 127.0.0.1 is refused (DNS rebinding); what changes
something must come from the page itself (Origin). The page loads nothing from elsewhere and may not (CSP).

Requests come in threads; the sitting, and with it the database, belongs to the thread that called ``serve``, which
does what they ask for one after the other. So several tabs share one sitting, and Ctrl-C ends it between two acts.
"""

import json
import os
import queue
import secrets
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from socketserver import TCPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mollia_cli.cli.review_acts import KEY_MEANINGS, QUESTIONS, Acts
from mollia_cli.cli.review_view import KEYS, key_range, labels_of, place_of, remark_on, shortened, title_of
from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.network import listening
from mollia_cli.domain.printable import printable
from mollia_cli.insight.review import Review

HOST = "127.0.0.1"
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_LONGEST = 1 << 16  # bytes of what a page may send: a note
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_KEEP = "\n\t\u200c\u200d"  # as in the report: what Indic and Persian writing needs
_USED = "This address works once. Stop mollia in the terminal with Ctrl-C and start it again for a new one."

State = dict[str, Any]
Job = tuple[Callable[[], State], "Future[State]"]


class Sitting:
    """The review as the page sees it: its state, and what a page asks for."""

    def __init__(self, review: Review) -> None:
        self.ended = False  # set once the page that asked for it has its answer
        self._review = review
        self._acts = Acts(review)
        self._reader: Thread | None = None
        self._problem = self._said = ""

    def state(self) -> State:
        """Everything that is shown; ``said``: of the last act; ``waiting`` while the classifier is reading."""
        review, card = self._review, self._review.card
        self._read_ahead()
        shown: State = {
            "title": title_of(review),
            "place": place_of(review),
            "who": printable(review.who),
            "said": self._said or self._problem,
            "waiting": self._reader is not None and self._reader.is_alive(),
            "ended": False,
            "item": None,
            "keys": key_range(len(review.labels)),
            "meanings": [*KEY_MEANINGS, ("q", "end; every decision is stored already")],
            "questions": QUESTIONS,
            "guidelines": printable(review.guidelines, keep=_KEEP),
        }
        labels = review.labels
        shown["labels"] = [
            {
                "key": KEYS[k] if k < len(KEYS) else "",
                "name": printable(name, _KEEP),
                "description": printable(what, _KEEP),
            }
            for k, (name, what) in enumerate(zip(labels.names, labels.descriptions, strict=True))
        ]
        if card is not None:
            beside = labels_of(review, card)
            shown |= {
                "item": card.item.id,
                "text": printable(card.item.text, keep=_KEEP),
                "remark": remark_on(review, card),
                "note": printable(card.note),
                "verdict": beside.verdict,
                "decided": beside.decided,
                "opinions": [
                    {"name": printable(one.name), "scores": None if one.scores is None else one.scores.tolist()}
                    for one in shortened(beside.opinions)
                ],
            }
        return shown

    def act(self, asked: Any) -> State:
        """Do what a page asks for, {act, item, ...}, and return the state after it.

        An act on an item that is no longer the one whose turn it is changes nothing: another tab was quicker. What is
        no act is a ValueError, what cannot be done a line.
        """
        does: Callable[[], str]
        match asked:
            case {"act": "end"}:
                return self.state() | {"ended": True}
            case {"act": "undo", "item": item}:
                does = self._acts.undo
            case {"act": "find", "item": item, "text": str(words)}:
                does = partial(self._acts.find, words)
            case {"act": "skip", "item": item, "steps": 1 | -1 as steps}:
                does = partial(self._skip, steps)
            case {"act": "label", "item": str(item), "label": int(label)} if 0 <= label < len(self._review.labels):
                does = partial(self._acts.label, label)
            case {"act": "ignore", "item": str(item)}:
                does = self._acts.ignore
            case {"act": "note", "item": str(item), "text": str(words)}:
                does = partial(self._acts.note, words)
            case {"act": "name", "item": str(item), "text": str(words)}:
                does = partial(self._acts.name, words)
            case _:
                raise ValueError("no such act")
        card = self._review.card
        if item != (card.item.id if card else None):
            self._said = "another tab has gone on to this text; nothing was stored"
            return self.state()
        try:
            self._said = does()
        except MolliaError as error:
            self._said = f"not stored: {printable(error.message)}"
        return self.state()

    def end(self) -> State:
        """Nothing more is asked."""
        self.ended = True
        return {}

    def _skip(self, steps: int) -> str:
        self._review.skip(steps)
        return ""

    def _read_ahead(self) -> None:
        """Have the classifier read the next items, in a thread; one that cannot be loaded is not asked again."""
        if self._problem or (self._reader is not None and self._reader.is_alive()):
            return
        if items := self._review.unread():
            self._reader = Thread(target=self._read, args=(items,), daemon=True)
            self._reader.start()

    def _read(self, items: Sequence[Item]) -> None:
        try:
            self._review.read(items)
        except MolliaError as error:
            self._problem = f"no classifier: {printable(error.message)}"


@dataclass(slots=True)
class Door:
    """Who is let in: the token of the address, once, and after that the cookie that was given for it."""

    token: str = field(default_factory=secrets.token_urlsafe)
    _cookie: str = ""

    def exchange(self, token: str) -> str:
        """The cookie for the token; "" where it is wrong or was used."""
        if not self.token or not secrets.compare_digest(token.encode(), self.token.encode()):
            return ""
        self.token, self._cookie = "", secrets.token_urlsafe()
        return self._cookie

    def knows(self, cookie: str) -> bool:
        """This is the cookie that was given."""
        return bool(self._cookie) and secrets.compare_digest(cookie.encode(), self._cookie.encode())


class _Server(ThreadingHTTPServer):
    allow_reuse_address = os.name == "posix"  # elsewhere it would let another program share the port

    def __init__(self, sitting: Sitting, port: int) -> None:
        self.sitting, self.door = sitting, Door()
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Without HTTPServer's look-up of this machine's name, which might ask a network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @property
    def own(self) -> str:
        """What a browser that came to this very address sends as Host."""
        return f"{HOST}:{self.server_port}"

    @property
    def cookie_name(self) -> str:
        """A browser keeps cookies by host, whatever the port."""
        return f"mollia-{self.server_port}"

    def ask(self, what: Callable[[], State]) -> State:
        """Have the sitting's own thread do it, and wait for that."""
        answer: Future[State] = Future()
        self.jobs.put((what, answer))
        return answer.result()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30
    server_version, sys_version = "mollia", ""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if self._is_foreign():
            return self._refuse("This is not the address that mollia printed.")
        if token := parse_qs(address.query).get("token", [""])[0]:
            return self._let_in(token)
        if not self._is_known():
            return self._refuse(_USED)
        if address.path == "/state":
            return self._state(lambda: self.server.sitting.state())
        if address.path not in _FILES:
            return self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")
        name, kind = _FILES[address.path]
        return self._send(HTTPStatus.OK, (resources.files("mollia_cli.cli") / "web" / name).read_bytes(), kind)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() and len(length) < 9 else 0
        body = self.rfile.read(min(size, _LONGEST))  # read before it is refused, or the refusal may be lost
        if self._is_foreign() or self.headers.get("Origin") != f"http://{self.server.own}" or not self._is_known():
            return self._refuse(_USED)
        try:
            asked = json.loads(body) if self.path == "/act" else None
        except (ValueError, RecursionError):
            return self._send(HTTPStatus.BAD_REQUEST, b"", "text/plain")
        return self._state(lambda: self.server.sitting.act(asked))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: an address has the token."""

    def _is_foreign(self) -> bool:
        return self.headers.get_all("Host") != [self.server.own]

    def _is_known(self) -> bool:
        cookies: SimpleCookie = SimpleCookie()
        with suppress(CookieError):
            cookies.load(self.headers.get("Cookie", ""))
        found = cookies.get(self.server.cookie_name)
        return found is not None and self.server.door.knows(found.value)

    def _let_in(self, token: str) -> None:
        """To the page itself, whose address has no token; with the cookie, so does a tab that is opened again."""
        cookie = self.server.door.exchange(token)
        if not cookie and not self._is_known():
            return self._refuse(_USED)
        headers = {"Location": "/"}
        if cookie:
            headers["Set-Cookie"] = f"{self.server.cookie_name}={cookie}; Path=/; HttpOnly; SameSite=Strict"
        return self._send(HTTPStatus.SEE_OTHER, b"", "text/plain", headers)

    def _refuse(self, why: str) -> None:
        self._send(HTTPStatus.FORBIDDEN, f"{why}\n".encode(), "text/plain")

    def _state(self, what: Callable[[], State]) -> None:
        try:
            state = self.server.ask(what)
        except ValueError as error:
            self._send(HTTPStatus.BAD_REQUEST, str(error).encode(), "text/plain")
        else:
            self._send(HTTPStatus.OK, json.dumps(state).encode(), "application/json")
            if state["ended"]:
                self.server.ask(self.server.sitting.end)

    def _send(self, status: HTTPStatus, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        named = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}
        for name, value in (_HEADERS | named | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def serve(review: Review, port: int, tell: Callable[[str], None]) -> None:
    """Review in a browser until the page or Ctrl-C ends it; ``tell`` hears the address. port: 0 for a free one.

    Raises RefusedError where the port is taken.
    """
    sitting = Sitting(review)
    try:
        with listening(port):
            server = _Server(sitting, port)
    except (OSError, OverflowError) as error:
        hint = "another --port, or none, which takes a free one"
        raise RefusedError(f"port {port} of this machine cannot be used: {error}", hint) from error
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()  # seconds until it hears that it ends
    try:
        tell(f"http://{server.own}/?token={server.door.token}")
        while not sitting.ended:
            with suppress(queue.Empty):
                _do(*server.jobs.get(timeout=0.5))  # Windows hears Ctrl-C between two waits only
    except KeyboardInterrupt:
        pass  # the way to end it; everything is stored
    finally:
        server.shutdown()
        server.server_close()


def _do(what: Callable[[], State], answer: "Future[State]") -> None:
    try:
        answer.set_result(what())
    except ValueError as error:  # what a page sent; all else ends the program with its message
        answer.set_exception(error)
