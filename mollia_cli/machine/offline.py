"""``mollia doctor --offline``: that nothing of this process reaches a network, by attempts."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from errno import EAFNOSUPPORT
from pathlib import Path

from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.network import LIBRARIES, is_guarded, refused
from mollia_cli.domain.settings import SETTINGS_FILE
from mollia_cli.store.project_files import find_root, read_settings

# Reserved for documentation (RFC 5737, RFC 3849, RFC 2606): nobody is there, should an attempt ever get through.
_ADDRESS, _ADDRESS_6, _NAME, _PORT = "192.0.2.1", "2001:db8::1", "example.invalid", 9
_INTERFACES = Path("/sys/class/net")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way out. ``by``: who refused it: "mollia", "the system (...)" or "nobody"."""

    what: str
    refused: bool
    by: str


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of the system, and its state ("up", "down", "unknown")."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Offline:
    """Whether this process can reach a network: ``ok`` if the guard refuses every attempt, and libraries are offline.

    ``named``: the addresses that the panel of the project here names; what reads with it connects to these alone.
    ``environment``: the variables that keep the libraries offline, with their values now. ``interfaces``: those that
    the system has; with the guard active it does not matter that there are some.
    """

    ok: bool
    guard: bool
    attempts: tuple[Attempt, ...]
    environment: dict[str, str]
    interfaces: tuple[Interface, ...]
    named: tuple[str, ...] = ()


def offline(members: Sequence[MemberSpec] = ()) -> Offline:
    """Attempt five ways out (IPv4, IPv6, UDP, a name, this machine), and see who refuses them. Nothing is sent."""
    attempts = (
        _attempt(f"connect to {_ADDRESS}", lambda: _connect(socket.AF_INET, _ADDRESS)),
        _attempt(f"connect to {_ADDRESS_6}", lambda: _connect(socket.AF_INET6, _ADDRESS_6)),
        _attempt(f"send to {_ADDRESS}", _send),
        _attempt(f"look up {_NAME}", lambda: socket.getaddrinfo(_NAME, _PORT)),
        _attempt("connect to this machine", lambda: _connect(socket.AF_INET, "127.0.0.1")),
    )
    refused()  # these were ours
    environment = {name: os.environ.get(name, "") for name in LIBRARIES}
    ok = is_guarded() and environment == LIBRARIES and all(attempt.refused for attempt in attempts)
    named = tuple(f"{member.name}: {member.options['url']}" for member in members if "url" in member.options)
    return Offline(ok, is_guarded(), attempts, environment, tuple(_interfaces()), named)


def members_here() -> tuple[MemberSpec, ...]:
    """The panel of the project that is found from here; () where there is none that can be read."""
    with suppress(MolliaError):
        return read_settings(find_root(None) / SETTINGS_FILE).panel.members
    return ()


def _attempt(what: str, connect: Callable[[], object]) -> Attempt:
    try:
        connect()
    except RefusedError:
        return Attempt(what, True, "mollia")
    except OSError as error:
        # without such sockets there is nothing to refuse; otherwise the system had no way, but mollia let it through
        return Attempt(what, error.errno == EAFNOSUPPORT, f"the system ({error.strerror or error})")
    return Attempt(what, False, "nobody")


def _connect(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(1.0)
        one.connect((address, _PORT))


def _send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"", (_ADDRESS, _PORT))


def _interfaces() -> Iterator[Interface]:
    """Each network interface, as far as the system lists them."""
    names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
    for name in names:
        state = "unknown"
        with suppress(OSError):
            state = (_INTERFACES / name / "operstate").read_text().strip()
        yield Interface(name, state)
