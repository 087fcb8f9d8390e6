"""The folder of a Hugging Face data set: which of its files hold a split."""

import re
from pathlib import Path

from mollia_cli.domain.errors import InputError

# train-00000-of-00002.parquet: of several splits in a folder; data-00000-of-00001.arrow: of one
_SHARD = re.compile(r"(?P<split>.+?)(-\d+)?(-of-\d+)?(-[0-9a-f]+)?\.(arrow|parquet)$")
_ONE = "data"


def dataset_files(path: Path) -> list[Path]:
    """The files of a data set's folder, or of a split of it (FOLDER/train), in order; none if it is another path.

    Both forms are read: what ``save_to_disk`` writes (Arrow; a folder for each split) and Parquet shards, in the folder
    or its ``data``. Raises InputError for several splits, naming them.
    """
    if path.is_dir():
        found = _splits(path)
        if len(found) > 1:
            raise InputError(
                f"{path} holds several splits: {', '.join(sorted(found))}",
                f"import one after the other: mollia import {path / sorted(found)[0]} --split pool",
            )
        return next(iter(found.values()), [])
    if path.parent.is_dir() and not path.exists():
        return _splits(path.parent).get(path.name, [])
    return []


def _splits(folder: Path) -> dict[str, list[Path]]:
    """The files of each split of a folder."""
    found: dict[str, list[Path]] = {}
    for place in (folder, folder / "data"):
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            if file.is_file() and not file.name.startswith("cache-") and (shard := _SHARD.match(file.name)):
                found.setdefault(shard["split"], []).append(file)
    if not found and (folder / "dataset_dict.json").is_file():
        parts = {part.name: _splits(part) for part in sorted(folder.iterdir()) if part.is_dir()}
        found = {name: files[_ONE] for name, files in parts.items() if _ONE in files}
    return found
