"""``mollia engine certificates``: what other machines need to read for a project, and the commands to type there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from mollia_cli.engines import certificates
from mollia_cli.engines.address import Address
from mollia_cli.project.workers import CERTIFICATES
from mollia_cli.store.project_files import find_root

DASK_PORT, RAY_PORT = 8786, 6379


@dataclass(frozen=True, slots=True)
class Nodes:
    """dask, ray: commands in the order of use, the first on the scheduler's machine; folder: as it is called here."""

    folder: str
    dask: tuple[str, ...]
    ray: tuple[str, ...]


def make_certificates(hosts: Sequence[str], folder: Path | None = None, project: Path | None = None) -> Nodes:
    """Make them for machines of these names or numbers, the scheduler's first; without a folder, in the project's."""
    folder = folder or find_root(project) / CERTIFICATES
    certificates.make(folder, hosts)
    path, head = folder.absolute(), hosts[0]
    dask, ray = (str(Address("tls", head, port, public=False)) for port in (DASK_PORT, RAY_PORT))
    return Nodes(str(path), _dask(path, dask), _ray(path, head, ray.removeprefix("tls://")))


def _dask(folder: Path, address: str) -> tuple[str, ...]:
    quiet = "--no-dashboard --dashboard-address 127.0.0.1:0"

    def tls(role: str) -> str:
        options = zip(("--tls-ca-file", "--tls-cert", "--tls-key"), certificates.files(folder, role), strict=True)
        return " ".join(f"{option} {quote(path)}" for option, path in options)

    host, _, port = address.rpartition(":")
    each = "--nworkers=-1 --nthreads 1 --memory-limit 0 --preload mollia_cli.engines.dask_worker"
    return (
        f"dask scheduler --host {host} --port {port} {quiet} {tls('scheduler')}",
        f"dask worker {address} {each} {quiet} {tls('worker')}",
        f"mollia annotate --on dask --address {address}",
    )


def _ray(folder: Path, head: str, address: str) -> tuple[str, ...]:
    def settings(role: str) -> str:
        authority, certificate, key = map(quote, certificates.files(folder, role))
        token = quote(str(folder / certificates.TOKEN))
        return (
            f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={token} RAY_USAGE_STATS_ENABLED=0 RAY_USE_TLS=1"
            f" RAY_TLS_CA_CERT={authority} RAY_TLS_SERVER_CERT={certificate} RAY_TLS_SERVER_KEY={key}"
        )

    port = address.rpartition(":")[2]
    head_options = f'--node-ip-address {head} --port {port} --include-dashboard false --temp-dir "$(mktemp -d)"'
    return (
        f"{settings('scheduler')} ray start --head {head_options}",
        f"{settings('worker')} ray start --address {address}",
        f"mollia annotate --on ray --address tls://{address}",
    )
