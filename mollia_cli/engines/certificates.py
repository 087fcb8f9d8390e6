"""Certificates of a project's own authority: who holds one may send work to its workers, and nobody else."""

import socket
import ssl
import subprocess
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from secrets import token_hex
from shutil import which
from tempfile import TemporaryDirectory

from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.engines.address import Address

ROLES = ("scheduler", "worker", "client")
AUTHORITY, TOKEN = "ca.pem", "token"
DAYS = 365
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_SECONDS = 10.0  # that a connection and a handshake may take


def make(folder: Path, hosts: Sequence[str] = (), days: int = DAYS) -> None:
    """An authority, a key and a certificate for every role, and Ray's token, in a new folder (0700; files 0600).

    hosts: names and numbers of the machines, beside this one's own; Ray compares them, Dask does not. The authority's
    own key is not kept: for another machine the same files are copied, and nobody can make a certificate more.
    Raises InputError where there are such files already, RefusedError without the program ``openssl``.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / AUTHORITY).exists():
        raise InputError(f"{folder} has certificates already", "name a new folder, or remove this one")
    names = ",".join(map(_alternative, dict.fromkeys(["127.0.0.1", "localhost", *hosts])))
    with TemporaryDirectory(prefix=".new-", dir=folder) as made:
        new = Path(made)
        (new / "names").write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n", encoding="utf-8")
        ca = ("req", "-x509", *_KEY, "-subj", "/CN=mollia", "-days", str(DAYS), "-keyout", "ca-key", "-out", AUTHORITY)
        _openssl(new, *ca)
        for role in ROLES:
            _openssl(new, "req", "-new", *_KEY, "-subj", f"/CN={role}", "-keyout", f"{role}-key.pem", "-out", "asked")
            signed = ("-CA", AUTHORITY, "-CAkey", "ca-key", "-CAcreateserial", "-extfile", "names", "-days", str(days))
            _openssl(new, "x509", "-req", "-in", "asked", *signed, "-out", f"{role}.pem")
        (new / TOKEN).write_text(token_hex(32), encoding="ascii")
        for name in (*(f"{role}{end}.pem" for role in ROLES for end in ("", "-key")), TOKEN, AUTHORITY):
            (new / name).chmod(0o600)
            (new / name).rename(folder / name)


def files(folder: Path, role: str) -> tuple[str, str, str]:
    """Paths of the authority, the role's certificate and its key. NotFoundError where one is missing."""
    return _file(folder, AUTHORITY), _file(folder, f"{role}.pem"), _file(folder, f"{role}-key.pem")


def token(folder: Path) -> str:
    """Path of Ray's token. NotFoundError where it is missing."""
    return _file(folder, TOKEN)


def _file(folder: Path, name: str) -> str:
    path = folder / name
    if not path.is_file():
        raise NotFoundError(
            f"a scheduler on another machine needs certificates, and there is no {path}",
            f"copy them there, or make them: mollia engine certificates --host HOST --out {folder}",
        )
    return str(path)


def check(address: Address, folder: Path) -> None:
    """Connect as a client and leave again. RefusedError with what is wrong: nobody there, or the certificates."""
    try:
        with socket.create_connection((address.host, address.port), timeout=_SECONDS) as plain:
            if address.scheme == "tls":
                with _client(folder).wrap_socket(plain) as encrypted:
                    encrypted.recv(1)  # a certificate that is refused there is heard of by now
    except TimeoutError as error:
        raise RefusedError(
            f"{address} did not answer within {_SECONDS:.0f} seconds", "is it the scheduler, and does it run?"
        ) from error
    except ssl.SSLError as error:
        raise RefusedError(f"{address}: {_reason(error)}", _hint(folder)) from error
    except OSError as error:
        raise RefusedError(
            f"no connection to {address}: {error.strerror or error}", "start the scheduler, or correct the address"
        ) from error


def _client(folder: Path) -> ssl.SSLContext:
    authority, certificate, key = files(folder, "client")
    try:
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise RefusedError(f"the certificates in {folder} cannot be read: {error.reason}", _hint(folder)) from error
    context.check_hostname = False  # a certificate of this authority is what is asked for, wherever it is
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _reason(error: ssl.SSLError) -> str:
    """What a failed handshake means."""
    said = f"{error.reason} {getattr(error, 'verify_message', '')}".lower()
    if "wrong_version_number" in said or "record_layer" in said:
        return "it speaks no TLS"
    if "alert_certificate_expired" in said:
        return "your certificate has expired"
    if "expired" in said:
        return "its certificate has expired"
    if "alert" in said:
        return "your certificate is not one that it accepts"
    if "verify" in said:
        return "its certificate is of another authority than yours"
    return f"no TLS connection: {error.reason}"


def _hint(folder: Path) -> str:
    return f"the same `mollia engine certificates` must have made the files there and in {folder}"


def _alternative(host: str) -> str:
    try:
        return f"IP:{ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"


def _openssl(folder: Path, *arguments: str) -> None:
    program = which("openssl")
    if program is None:
        raise RefusedError("there is no program openssl here, which makes certificates", "install openssl")
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False, umask=0o077)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise RefusedError(f"openssl {arguments[0]} failed: {lines[-1]}", "")
