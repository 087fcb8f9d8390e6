"""No network: what would connect is refused, and the libraries are set to stay offline.

An audit hook (PEP 578) sees every use of Python's own sockets, whichever library makes it. What native code does
with sockets of its own it does not see: tests/machine/test_offline.py watches the system calls.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from mollia_cli.domain.errors import RefusedError

# Set for this process and its children; no library that mollia uses sends anything by itself with these.
LIBRARIES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
_ON_SOCKETS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
_ON_NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_OWN = ("127.0.0.1", "::1")


class _Guard:
    """Whether connections are refused now, and what was refused since the process began."""

    def __init__(self) -> None:
        self.installed = False
        self.open = 0
        self.listener: tuple[str, int] | None = None
        self.reachable: frozenset[tuple[str, int]] = frozenset()  # numeric addresses; port 0: each of its ports
        self.refused: list[str] = []

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook: called for every audited event of the process, so the first line decides nearly all."""
        if not event.startswith("socket.") or self.open:
            return
        if event in _ON_NAMES:
            if args[0] not in {number for number, _ in self.reachable}:
                self._refuse(args[0])
        elif event == "socket.bind" and args[1] == self.listener:
            self.listener = None
        elif event in _ON_SOCKETS and not _stays_here(*args) and not self._is_named(args[1]):
            self._refuse(args[1])

    def _is_named(self, address: object) -> bool:
        """Whether it is one of those that a person named; without an address, one that was connected to before."""
        if not isinstance(address, tuple):
            return address is None
        return any((host, port or address[1]) == address[:2] for host, port in self.reachable)

    def _refuse(self, address: object) -> None:
        where = ":".join(map(str, address[:2])) if isinstance(address, tuple) else str(address)
        self.refused.append(where)
        raise RefusedError(
            f"something tried to connect to {where}, and was refused: only `mollia models pull` uses a network",
            "nothing was sent; please report which command this was",
        )


_GUARD = _Guard()


def guard() -> None:
    """From now on, refuse whatever would use a network in this process, but within ``allowed``; tell the libraries.

    Local sockets (AF_UNIX) are not refused, and on Windows, which has none, not a socket pair of this process.
    """
    os.environ.update(LIBRARIES)
    if not _GUARD.installed:
        _GUARD.installed = True
        sys.addaudithook(_GUARD.hook)


@contextmanager
def allowed() -> Iterator[None]:
    """Within, a network may be used: for ``mollia models pull`` alone."""
    _GUARD.open += 1
    try:
        yield
    finally:
        _GUARD.open -= 1


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Within, one socket may be bound to 127.0.0.1 and that port (0: a free one): for ``mollia review --web`` alone.

    Who listens there is reached from this machine only; nothing else is let through, and no second socket.
    """
    _GUARD.listener = ("127.0.0.1", port)
    try:
        yield
    finally:
        _GUARD.listener = None


@contextmanager
def reaching(host: str, port: int = 0) -> Iterator[tuple[str, ...]]:
    """Within, the named host may be connected to, at that port (0: at any); yields its numeric addresses.

    For addresses that a person wrote down: a panel member's server, an engine's scheduler. A name is looked up once,
    here. Raises RefusedError for one that nobody knows.
    """
    import socket as sockets

    before = _GUARD.reachable
    try:
        with allowed():
            found = sockets.getaddrinfo(host, port or None, type=sockets.SOCK_STREAM)
    except OSError as error:
        raise RefusedError(f"the host {host!r} is not known here: {error}", "write its number: 192.168.1.20") from error
    numbers = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
    _GUARD.reachable = before | {(number, port) for number in numbers}
    try:
        yield numbers
    finally:
        _GUARD.reachable = before


def place(number: str) -> str:
    """Where a numeric address is: "loopback" (this machine), "private" (RFC 1918, link-local), or "public"."""
    address = ip_address(number.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address  # ::ffff:8.8.8.8 is 8.8.8.8, and no private address
    return "loopback" if address.is_loopback else "private" if address.is_private or address.is_link_local else "public"


def is_guarded() -> bool:
    """Whether connections are refused now."""
    return _GUARD.installed and not _GUARD.open


def refused() -> list[str]:
    """The addresses that were refused, emptied by this call: a library may have swallowed the error."""
    found, _GUARD.refused = _GUARD.refused, []
    return found


def _stays_here(socket: Any, address: Any) -> bool:
    import socket as sockets

    if socket.family == getattr(sockets, "AF_UNIX", None):
        return True
    return os.name == "nt" and isinstance(address, tuple) and address[0] in _OWN  # socketpair, as asyncio makes it
