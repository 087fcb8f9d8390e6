"""A file that is one JSON array: said, whatever it is called, and never read as plain lines."""

import io

import pytest

from mollia_cli.domain.errors import InputError
from mollia_cli.readers import read
from mollia_cli.readers.detect import sniff

ARRAYS = [b'[{"text": "a"}]', b'\n [\n{"text": "a"},\n{"text": "b"}\n]\n', b'\xef\xbb\xbf[{"text": "a"}]', b"[]"]


@pytest.mark.parametrize("data", ARRAYS)
def test_its_first_byte_is_known(data: bytes) -> None:
    assert sniff(data, "-") == "jsonl"
    with pytest.raises(InputError, match="one JSON array") as caught:
        list(read(io.BytesIO(data), name="texts"))
    assert "jq -c '.[]' texts" in caught.value.hint
