"""Where a scheduler may be, and how it may be spoken to."""

import pytest

from mollia_cli.domain import network
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.engines.address import Address


@pytest.mark.parametrize(
    "written",
    [
        "",
        "10.0.0.5:8786",
        "tls://10.0.0.5",
        "http://10.0.0.5:1",
        "tls://a@10.0.0.5:1",
        "tls://10.0.0.5:8786/x",
        "tls://10.0.0.5:99999",
    ],
)
def test_what_is_no_address(written: str) -> None:
    with pytest.raises(InputError, match="is no address of a scheduler"):
        Address.parse(written)


@pytest.mark.parametrize("written", ["tls://10.0.0.5:8786", "tcp://[::1]:8786", "tls://box.lan:1"])
def test_an_address_is_written_as_it_was(written: str) -> None:
    assert str(Address.parse(written)) == written


@pytest.mark.parametrize("written", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "tls://10.0.0.5:9", "tls://[fd00::5]:9"])
def test_what_may_be_reached(written: str) -> None:
    with Address.parse(written).reached():
        assert network._GUARD.reachable
    assert not network._GUARD.reachable


@pytest.mark.parametrize("number", ["8.8.8.8", "2001:4860:4860::8888"])
def test_a_public_address_needs_a_word_of_its_own(number: str) -> None:
    host = f"[{number}]" if ":" in number else number
    with (
        pytest.raises(RefusedError, match="in no private network") as refused,
        Address.parse(f"tls://{host}:9").reached(),
    ):
        pass
    assert refused.value.hint.endswith(f"--address public+tls://{host}:9")
    with Address.parse(f"public+tls://{host}:9").reached():
        pass


@pytest.mark.parametrize("written", ["tcp://10.0.0.5:9", "public+tcp://8.8.8.8:9"])
def test_another_machine_is_spoken_to_with_tls(written: str) -> None:
    with pytest.raises(RefusedError, match="unencrypted"), Address.parse(written).reached():
        pass
