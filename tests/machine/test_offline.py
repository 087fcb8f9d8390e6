"""No network: refused by the guard, and not even tried in the whole main job, as the system calls show."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mollia_cli
from mollia_cli.domain.network import LIBRARIES, place
from mollia_cli.machine.demo import LABELS, demo_messages
from mollia_cli.models import home

PACKAGE = Path(mollia_cli.__file__).parents[1]
SIZES = {"seed": 18, "pool": 40, "test": 12}
WATCHED = ["unshare", "--map-root-user", "--net", "strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=network", "-o"]
# every command as it is typed; one process, because importing torch for each would take most of the time
PROGRAM = """
import json, sys
from mollia_cli.cli.main import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["mollia", *command]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""
USES_NETWORK = re.compile(r"(connect|bind|sendto|sendmsg|sendmmsg)\(.*AF_INET")
GUARDED = "from mollia_cli.domain.network import allowed, guard, refused; import socket; guard()\n"


def can_watch() -> bool:
    try:
        return subprocess.run([*WATCHED, "/dev/null", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def python(program: str, *arguments: str, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "MOLLIA_HOME": str(home.home())}
    command = [*under, sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def uses_of_network(log: Path) -> list[str]:
    return [line for line in log.read_text(errors="replace").splitlines() if USES_NETWORK.search(line)]


@pytest.mark.proof
@pytest.mark.skipif(not can_watch(), reason="this system has no strace, or lets nobody make a network namespace")
def test_the_whole_main_job_makes_no_use_of_a_network(tmp_path: Path, shallow_llm: Path, test_encoder: Path) -> None:
    root, log = tmp_path / "project", tmp_path / "strace.log"
    messages = demo_messages()
    files = {split: tmp_path / f"{split}.jsonl" for split in ("seed", "pool", "test")}
    for split, file in files.items():
        rows = [json.dumps(message) for message in messages if message["split"] == split][: SIZES[split]]
        file.write_text("\n".join(rows))

    def run(*commands: list[object]) -> None:
        typed = json.dumps([[*map(str, command)] for command in commands])
        done = python(PROGRAM, typed, under=(*WATCHED, str(log)))
        assert done.returncode == 0, done.stderr
        assert not uses_of_network(log)

    run(
        ["init", root, "--labels", ",".join(LABELS), "--panel", shallow_llm, "--encoder", test_encoder],
        *(["import", file, "--split", split, "-p", root] for split, file in files.items()),
    )
    settings = root / "mollia.toml"
    small = re.sub(r"(?m)^(epochs|steps|unlabelled|batch) = .*", r"\1 = 1", settings.read_text())
    settings.write_text(small)
    run(
        ["annotate", "--split", "seed", "--threads", 1, "--workers", 2, "-p", root],
        ["aggregate", "-p", root],
        ["run", "--rounds", 1, "--run", "one", "-p", root],
        ["predict", files["test"], "-p", root],
        ["export", "labels", "-o", tmp_path / "labels.csv", "-p", root],
        ["export", "model", "-o", tmp_path / "classifier", "-p", root],
        ["report", "-o", tmp_path / "report.html", "-p", root],
        ["doctor", "--offline"],
    )
    assert (tmp_path / "labels.csv").read_text().count("\n") > SIZES["seed"]
    assert (tmp_path / "classifier" / "model.safetensors").is_file() and (tmp_path / "report.html").is_file()


@pytest.mark.skipif(not can_watch(), reason="this system has no strace, or lets nobody make a network namespace")
def test_the_watch_sees_what_it_must(tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    python("import socket; socket.socket().connect_ex(('192.0.2.1', 9))", under=(*WATCHED, str(log)))
    assert len(uses_of_network(log)) == 1


@pytest.mark.parametrize(
    ("attempt", "named"),
    [
        ("socket.create_connection(('192.0.2.1', 9))", "192.0.2.1"),
        ("socket.socket().connect_ex(('192.0.2.1', 9))", "192.0.2.1:9"),
        ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))", "192.0.2.1:9"),
        ("socket.socket().bind(('127.0.0.1', 0))", "127.0.0.1:0"),
        ("socket.gethostbyname('example.invalid')", "example.invalid"),
        ("import urllib.request; urllib.request.urlopen('http://192.0.2.1/')", "192.0.2.1"),
    ],
)
def test_the_guard_refuses_and_names_the_address(attempt: str, named: str) -> None:
    said = python(f"{GUARDED}{attempt}").stderr
    assert f"RefusedError: something tried to connect to {named}, and was refused" in said


def test_what_the_guard_lets_through() -> None:
    program = "import asyncio; asyncio.run(asyncio.sleep(0)); a, b = socket.socketpair(); a.send(b'x'); b.recv(1)\n"
    program += "with allowed(): print(socket.socket().connect_ex(('127.0.0.1', 9)) != 0, end='')"
    assert python(GUARDED + program).stdout == "True"


def test_one_listener_on_the_loopback_and_nothing_else() -> None:
    """What `mollia review --web` needs: the very address, once, and only within."""
    program = "from mollia_cli.domain.network import listening\nfrom contextlib import suppress\n"
    program += "def bound(*address):\n    with suppress(Exception): socket.socket().bind(address); return True\n"
    program += "with listening(0): print(bound('0.0.0.0', 0), bound('127.0.0.2', 0), bound('127.0.0.1', 7), end=' ')\n"
    program += "with listening(0): print(bound('127.0.0.1', 0), bound('127.0.0.1', 0), end=' ')\n"
    program += "with listening(0): pass\nprint(bound('127.0.0.1', 0))\n"
    assert python(GUARDED + program).stdout.split() == ["None", "None", "None", "True", "None", "None"]


def test_a_named_address_is_reached_and_no_other() -> None:
    """What a panel member's server and an engine's scheduler need: the very address, and only within."""
    program = "from mollia_cli.domain.network import reaching\nfrom contextlib import suppress\n"
    program += "with allowed(): there = socket.create_server(('127.0.0.1', 0)); port = there.getsockname()[1]\n"
    program += "def reached(host, port):\n"
    program += "    with suppress(Exception): socket.create_connection((host, port)).sendmsg([b'x']); return True\n"
    program += "with reaching('localhost', port): print(reached('127.0.0.1', port), reached('127.0.0.1', 9), end=' ')\n"
    program += (
        "with reaching('127.0.0.1', port): print(reached('localhost', port), reached('192.0.2.1', port), end=' ')\n"
    )
    program += "with reaching('127.0.0.1'): print(reached('127.0.0.1', port), end=' ')\n"
    program += "print(reached('127.0.0.1', port), refused()[-1] == f'127.0.0.1')"
    assert python(GUARDED + program).stdout.split() == ["True", "None", "None", "None", "True", "None", "True"]


def test_where_an_address_is() -> None:
    places = {"127.0.0.3": "loopback", "::1": "loopback", "192.168.1.9": "private", "fe80::1%eth0": "private"}
    assert {number: place(number) for number in places} == places
    assert place("8.8.8.8") == place("2001:4860:4860::8888") == "public"


def test_an_attempt_that_a_library_hides_is_told() -> None:
    hidden = "try: socket.gethostbyname('example.invalid')\n    except Exception: pass"
    program = f"import socket, sys\nfrom mollia_cli.cli import main as m\ndef lib(**_):\n    {hidden}\n"
    done = python(program + "m.app = lib\nm.main()")
    assert done.returncode == 0
    assert done.stderr == "mollia: refused a connection to example.invalid; nothing was sent\n"


def test_doctor_proves_it() -> None:
    done = python(PROGRAM, '[["doctor", "--offline", "--json"]]')
    found = json.loads(done.stdout)
    assert found["ok"] and found["guard"] and found["environment"] == LIBRARIES
    assert [each["by"] for each in found["attempts"]].count("mollia") >= 4
    assert "refused a connection" not in done.stderr


def test_doctor_says_where_there_is_no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program that uses the Python API: nothing is sent, because every try is answered by this test."""
    from mollia_cli.machine import offline

    def answer(*_: object) -> None:
        return None

    sent: Callable[..., None] = answer
    for name in ("_connect", "_send"):
        monkeypatch.setattr(offline, name, sent)
    monkeypatch.setattr(offline.socket, "getaddrinfo", sent)
    found = offline.offline()
    assert not found.ok and not found.guard
    assert [attempt.by for attempt in found.attempts] == ["nobody"] * 5
