"""JSON over HTTP with the one address that a person named: no redirect, no proxy, no credentials but those given."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mollia_cli.domain.errors import InputError, MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.network import place, reaching
from mollia_cli.domain.printable import count

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 300.0
WAITS = (0.0, 0.5, 1.0, 2.0, 4.0)  # seconds before each further attempt; the first: a kept connection may be stale
_BUSY = (429, 503)
_MOST_BYTES = 1 << 27  # of one answer; a whole vocabulary of 256,000 tokens has 25 MB
_SHOWN = 200  # characters of a server's own message
_REDIRECTS = range(300, 400)


class ServerError(MolliaError):
    """A server that the panel names cannot be used; what was stored before stays. ``status``: its answer's, if bad."""

    def __init__(self, message: str, hint: str, status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is. ``path``: what stands before the paths of its interface."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def written(self) -> str:
        """As it is shown: without anything that could be a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse_address(member: str, url: str) -> Address:
    """The address in a member's ``url``; InputError for one that is none, or holds a password or a query."""
    hint = 'write it like this: url = "http://127.0.0.1:8080"'
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{member}: url is {url!r}: {error}", hint) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{member}: url is {url!r}, which is no address of a server", hint)
    if parts.username is not None or parts.password is not None:
        raise InputError(f"{member}: url holds a user name or a password", 'key_file = "FILE" names a file with a key')
    if parts.query or parts.fragment:
        raise InputError(f"{member}: url has a query or a fragment", hint)
    return Address(
        parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")
    )


def read_key(member: str, file: Path) -> str:
    """The key in the first line of a file. NotFoundError or InputError where there is none."""
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{member}: the key file {file} cannot be read: {error}", "check key_file") from error
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(f"{member}: the key file {file} holds no key", "write the key alone into it")
    return key


class Link:
    """Questions to one server, from several threads; each thread keeps a connection of its own while it is open.

    public: the member's own word that its address may be one that is reached through the internet.
    """

    def __init__(self, member: str, address: Address, *, key_file: Path | None = None, public: bool = False) -> None:
        self._member = member
        self.address = address
        self._key_file = key_file
        self._public = public
        self._headers: dict[str, str] = {}
        self._numbers: tuple[str, ...] = ()
        self._own = threading.local()
        self._made: list[HTTPConnection] = []
        self._ended = threading.Event()
        self.requests = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Within, the guard lets this address through, and no other; afterwards no connection is left."""
        with reaching(self.address.host, self.address.port) as numbers:
            self._check_place(numbers)
            self._numbers = numbers
            self._headers = {"Content-Type": "application/json"}
            if self._key_file is not None:
                self._headers["Authorization"] = f"Bearer {read_key(self._member, self._key_file)}"
            self._own, self._ended = threading.local(), threading.Event()
            try:
                yield
            finally:
                self.end()

    def end(self) -> None:
        """Close all connections; who waits for an answer or for another attempt stops waiting."""
        self._ended.set()
        made, self._made = self._made, []
        for connection in made:
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _check_place(self, numbers: tuple[str, ...]) -> None:
        """RefusedError for an address through the internet without a word of its own or without encryption."""
        places = {place(number) for number in numbers}
        secure = self.address.scheme == "https"
        if "public" in places and not self._public:
            raise RefusedError(
                f"{self._member}: {self.address.written} is not on this machine or in a private network,"
                " and every text would be sent there",
                "if that is what you want: public = true in the member's table",
            )
        if "public" in places and not secure:
            raise RefusedError(
                f"{self._member}: {self.address.written} would send texts through the internet unencrypted",
                "use an https address",
            )
        if self._key_file is not None and not secure and places != {"loopback"}:
            raise RefusedError(
                f"{self._member}: the key would go unencrypted to {self.address.written}", "use an https address"
            )

    def get(self, path: str) -> Any:
        """The JSON that is at a path."""
        return self._ask("GET", path, None)

    def post(self, path: str, question: dict[str, Any]) -> Any:
        """The JSON that answers a question in JSON."""
        return self._ask("POST", path, json.dumps(question).encode())

    def error(self, what: str, hint: str = "see the server's log; docs/servers.md", status: int = 0) -> ServerError:
        """An error of this server."""
        return ServerError(f"{self._member} ({self.address.written}) {what}", hint, status)

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        """One answer; what may be over soon (not reached, busy) is attempted again, a few times."""
        for wait in (*WAITS, None):
            try:
                status, raw = self._exchange(method, path, body)
            except TimeoutError:
                raise self.error(
                    f"did not answer {path} within {ANSWER_SECONDS:.0f} s", "is it overloaded? type the command again"
                ) from None
            except (OSError, HTTPException) as error:
                self._drop()
                trouble = f"cannot be reached: {error or type(error).__name__}"
            else:
                if status not in _BUSY:
                    return self._parsed(path, status, raw)
                trouble = f"is busy or still loading (status {status})"
            if self._ended.is_set():
                break
            if wait is not None:
                self._ended.wait(wait)
        raise self.error(
            f"{trouble}, {count(len(WAITS) + 1, 'time')} in {sum(WAITS):g} s",
            "start it, then type the same command again",
        )

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = getattr(self._own, "connection", None) or self._connect()
        self.requests += 1
        connection.request(method, self.address.path + path, body, self._headers)
        response = connection.getresponse()
        raw = response.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            self._drop()
            raise self.error(f"answers {path} with more than {_MOST_BYTES >> 20} MB")
        if response.will_close:
            self._drop()
        return response.status, raw

    def _connect(self) -> HTTPConnection:
        """A connection to the numeric address that was looked up when the link was opened."""
        failure: OSError | None = None
        for number in self._numbers:
            try:
                sock = socket.create_connection((number, self.address.port), CONNECT_SECONDS)
            except OSError as error:
                failure = error if not isinstance(error, TimeoutError) else ConnectionError("no connection was made")
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(ANSWER_SECONDS)
            if self.address.scheme == "https":
                sock = self._secured(sock)
            connection = HTTPConnection(self.address.host, self.address.port)
            connection.sock = sock
            connection.auto_open = 0
            self._own.connection = connection
            self._made.append(connection)
            return connection
        assert failure is not None
        raise failure

    def _secured(self, sock: socket.socket) -> socket.socket:
        """TLS with the certificate and the host's name verified."""
        try:
            return ssl.create_default_context().wrap_socket(sock, server_hostname=self.address.host)
        except ssl.SSLCertVerificationError as error:
            sock.close()
            raise self.error(
                f"has a certificate that is not to be trusted: {error.verify_message}",
                "SSL_CERT_FILE=FILE names the certificate of an authority of your own",
            ) from None

    def _drop(self) -> None:
        connection, self._own.connection = getattr(self._own, "connection", None), None
        if connection is not None:
            connection.close()
            with suppress(ValueError):
                self._made.remove(connection)

    def _parsed(self, path: str, status: int, raw: bytes) -> Any:
        if status in _REDIRECTS:
            raise self.error(f"sends {path} elsewhere (status {status}), which is not followed", "name its own address")
        try:
            answer = json.loads(raw, parse_constant=_no_number)
        except (ValueError, RecursionError):
            answer = None
        if status == 200 and answer is not None:
            return answer
        if status in (401, 403):
            raise self.error(f"wants a key (status {status})", 'key_file = "FILE" names a file with it')
        if status == 200:
            raise self.error(f"answers {path} with what is no JSON")
        raise self.error(f"answers {path} with status {status}: {_message(answer)}", status=status)


def _no_number(name: str) -> float:
    raise ValueError(name)


def _message(answer: Any) -> str:
    """A server's own words about an error, as far as there are some."""
    said = answer.get("error", answer.get("message")) if isinstance(answer, dict) else None
    said = said.get("message") if isinstance(said, dict) else said
    return str(said)[:_SHOWN] if said else "no reason given"
