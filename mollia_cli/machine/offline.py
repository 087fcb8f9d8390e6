"""``mollia doctor --offline``: that nothing of this process gets to a network, tried."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from errno import EAFNOSUPPORT
from pathlib import Path
from typing import Any

from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.network import LIBRARIES, is_guarded, refused

# Reserved for documentation (RFC 5737, RFC 3849, RFC 2606): nobody is there, should a try ever get through.
_ADDRESS, _ADDRESS_6, _NAME, _PORT = "192.0.2.1", "2001:db8::1", "example.invalid", 9
_INTERFACES = Path("/sys/class/net")


def offline() -> dict[str, Any]:
    """Facts by name; ``ok`` if the guard is active, refuses every try, and the libraries are told to stay offline.

    ``interfaces``: those that the system has; with the guard active it does not matter that there are some.
    """
    tries = [
        _tried(f"connect to {_ADDRESS}", lambda: _connect(socket.AF_INET, _ADDRESS)),
        _tried(f"connect to {_ADDRESS_6}", lambda: _connect(socket.AF_INET6, _ADDRESS_6)),
        _tried(f"send to {_ADDRESS}", _send),
        _tried(f"look up {_NAME}", lambda: socket.getaddrinfo(_NAME, _PORT)),
        _tried("connect to this machine", lambda: _connect(socket.AF_INET, "127.0.0.1")),
    ]
    refused()  # these were ours
    told = {name: os.environ.get(name, "") for name in LIBRARIES}
    return {
        "ok": is_guarded() and told == LIBRARIES and all(each["refused"] for each in tries),
        "guard": is_guarded(),
        "tries": tries,
        "environment": told,
        "interfaces": _interfaces(),
    }


def _tried(what: str, attempt: Callable[[], object]) -> dict[str, Any]:
    try:
        attempt()
    except RefusedError:
        return {"what": what, "refused": True, "by": "mollia"}
    except OSError as error:
        # without such sockets there is nothing to refuse; otherwise the system had no way, but mollia let it try
        return {"what": what, "refused": error.errno == EAFNOSUPPORT, "by": f"the system ({error.strerror or error})"}
    return {"what": what, "refused": False, "by": "nobody"}


def _connect(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(1.0)
        one.connect((address, _PORT))


def _send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"", (_ADDRESS, _PORT))


def _interfaces() -> list[dict[str, str]]:
    """Name and state of each network interface, as far as the system tells."""
    names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
    found = []
    for name in names:
        state = "unknown"
        with suppress(OSError):
            state = (_INTERFACES / name / "operstate").read_text().strip()
        found.append({"name": name, "state": state})
    return found
