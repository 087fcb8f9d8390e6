"""The address of a scheduler that runs already: where it may be, and how it may be spoken to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.network import place, reaching

_EXAMPLE = "tls://10.0.0.5:8786"
_PUBLIC = "public+"


@dataclass(frozen=True, slots=True)
class Address:
    """``tls://HOST:PORT``, of this machine ``tcp://`` too; ``public+tls://`` for one that is in no private network.

    The word for a public one is part of the address, so that it cannot stay behind when the address is changed.
    """

    scheme: str
    host: str
    port: int
    public: bool

    @classmethod
    def parse(cls, written: str) -> "Address":
        """InputError where it is none."""
        rest = written.removeprefix(_PUBLIC)
        try:
            parts = urlsplit(rest)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        extra = host is not None and (parts.path or parts.query or parts.fragment or parts.username)
        if not host or not port or extra or parts.scheme not in ("tls", "tcp"):
            raise InputError(f"{written!r} is no address of a scheduler", f"write it as {_EXAMPLE}")
        return cls(parts.scheme, host, port, rest != written)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Within, it can be connected to, and nothing else can. RefusedError where it must not be."""
        with reaching(self.host, self.port) as numbers:
            for number in numbers:
                self._check(number)
            yield

    def _check(self, number: str) -> None:
        where = place(number)
        if where == "public" and not self.public:
            which = "" if number == self.host else f" ({number})"
            raise RefusedError(
                f"{self.host}{which} is in no private network: texts would leave yours",
                f"if that is what you want: --address {_PUBLIC}{replace(self, scheme='tls')}",
            )
        if where != "loopback" and self.scheme != "tls":
            raise RefusedError(
                f"{self} is another machine, and tcp:// would send texts unencrypted to whoever answers",
                "mollia engine certificates --host HOST, then --address tls://HOST:PORT",
            )
