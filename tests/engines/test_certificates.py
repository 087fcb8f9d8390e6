"""Who holds a certificate is let in, who holds another one or an old one hears why."""

import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from mollia_cli.domain.errors import InputError, MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.network import allowed, reaching
from mollia_cli.engines import certificates
from mollia_cli.engines.address import Address

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, days in (("good", 1), ("other", 1), ("old", -1)):
        made[name] = tmp_path_factory.mktemp(name) / "tls"
        certificates.make(made[name], ["10.0.0.5", "box.lan"], days)
    return made


@contextmanager
def scheduler(folder: Path | None, authority: Path | None = None) -> Iterator[Address]:
    """Something that accepts connections as a scheduler does: with TLS both ways, or without any."""
    context = None
    if folder:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "scheduler.pem", folder / "scheduler-key.pem")
        context.load_verify_locations(authority or folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    with allowed():
        listener = socket.create_server((HOST, 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with suppress(OSError), connection:
                    talk = context.wrap_socket(connection, server_side=True) if context else connection
                    talk.sendall(b"hello")
                    talk.close()

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        with reaching(HOST):
            yield Address("tls", HOST, listener.getsockname()[1], public=False)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def said(address: Address, folder: Path) -> str:
    with pytest.raises(RefusedError) as refused:
        certificates.check(address, folder)
    assert "\n" not in refused.value.message
    return refused.value.message


def test_files_are_for_their_owner_alone(folders: dict[str, Path]) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folders["good"].iterdir()}
    roles = [f"{role}{end}.pem" for role in ("scheduler", "worker", "client") for end in ("", "-key")]
    assert modes == dict.fromkeys(["ca.pem", "token", *roles], 0o600)  # the authority's key is not among them
    assert stat.S_IMODE(folders["good"].stat().st_mode) == 0o700


def test_nothing_is_overwritten(folders: dict[str, Path]) -> None:
    before = (folders["good"] / "ca.pem").read_bytes()
    with pytest.raises(InputError, match="has certificates already"):
        certificates.make(folders["good"])
    assert (folders["good"] / "ca.pem").read_bytes() == before


def test_without_openssl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match="no program openssl"):
        certificates.make(tmp_path / "tls")
    assert not list((tmp_path / "tls").iterdir())


def test_a_pair_of_one_authority(folders: dict[str, Path]) -> None:
    with scheduler(folders["good"]) as address:
        certificates.check(address, folders["good"])
    assert address.scheme == "tls"


def test_a_certificate_is_missing(folders: dict[str, Path], tmp_path: Path) -> None:
    with scheduler(folders["good"]) as address, pytest.raises(NotFoundError, match=r"no .*ca\.pem") as missing:
        certificates.check(address, tmp_path)
    assert missing.value.hint.endswith(f"mollia engine certificates --host HOST --out {tmp_path}")


def test_certificates_of_another_authority(folders: dict[str, Path]) -> None:
    with scheduler(folders["other"]) as address:
        assert said(address, folders["good"]).endswith("its certificate is of another authority than yours")
    with scheduler(folders["good"], folders["other"] / "ca.pem") as address:
        assert said(address, folders["good"]).endswith("your certificate is not one that it accepts")


def test_certificates_that_have_expired(folders: dict[str, Path], tmp_path: Path) -> None:
    with scheduler(folders["old"]) as address:
        assert said(address, folders["old"]).endswith("its certificate has expired")
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name in ("ca.pem", "client.pem", "client-key.pem"):
        source = folders["good"] if name == "ca.pem" else folders["old"]
        (mixed / name).write_bytes((source / name).read_bytes())
    with scheduler(folders["good"], folders["old"] / "ca.pem") as address:
        assert said(address, mixed).endswith("your certificate has expired")


def test_something_else_answers(folders: dict[str, Path]) -> None:
    with scheduler(None) as address:
        assert said(address, folders["good"]).endswith("it speaks no TLS")


def test_nobody_answers(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with scheduler(None) as address:
        pass
    assert "refused" in said(address, folders["good"]).lower()
    monkeypatch.setattr(certificates, "_SECONDS", 0.2)
    with allowed(), socket.create_server((HOST, 0)) as silent:
        there = Address("tls", HOST, silent.getsockname()[1], public=False)
        assert "did not answer" in said(there, folders["good"])


def test_a_damaged_key(folders: dict[str, Path], tmp_path: Path) -> None:
    for path in folders["good"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "client-key.pem").write_text("nothing")
    with scheduler(folders["good"]) as address, pytest.raises(MolliaError, match="cannot be read"):
        certificates.check(address, tmp_path)
