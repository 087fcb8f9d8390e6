"""No network: what would connect is refused, and the libraries are set to stay offline.

An audit hook (PEP 578) sees every use of Python's own sockets, whichever library makes it. What native code does
with sockets of its own it does not see: tests/machine/test_offline.py watches the system calls.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
        self.refused: list[str] = []

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook: called for every audited event of the process, so the first line decides nearly all."""
        if not event.startswith("socket.") or self.open:
            return
        if event in _ON_NAMES:
            self._refuse(args[0])
        elif event == "socket.bind" and args[1] == self.listener:
            self.listener = None
        elif event in _ON_SOCKETS and not _stays_here(*args):
            self._refuse(args[1])

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
