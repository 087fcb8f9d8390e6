"""Memory and disk: what a model and its cache will need, and what is free."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from mollia_cli.annotators.llama.binding.header import Header, read_header
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.printable import count

_KV_BYTES = {"f16": 2, "f32": 4}
_FLOAT = 4
_SPARE = 64 << 20  # the process itself: Python, numpy, the vocabulary


@dataclass(frozen=True, slots=True)
class Prediction:
    """Bytes that a run will need: the weights, the KV cache, the batch's working memory, and the sum."""

    weights: int
    cache: int
    compute: int

    @property
    def total(self) -> int:
        """All of it, with the process's own share."""
        return self.weights + self.cache + self.compute + _SPARE


def predict(path: Path, *, cells: int, batch: int, kv_type: str = "f16") -> Prediction:
    """What loading a GGUF file with a cache of ``cells`` tokens and batches of ``batch`` needs, from its header.

    Sequences share the cells, so their number does not matter. Raises RefusedError for a broken file.
    """
    header = read_header(path)
    width = sum(_head_width(header, side) for side in ("key", "value"))
    layers = header.setting("block_count")
    vocabulary = header.number("tokenizer.ggml.tokens")
    widest = max(header.setting("feed_forward_length"), header.setting("embedding_length"))
    return Prediction(
        weights=header.path.stat().st_size,
        cache=cells * layers * width * _KV_BYTES[kv_type],
        # Logits of one batch's rows at most, and a few activations that live together.
        compute=_FLOAT * batch * (vocabulary + 4 * widest),
    )


def check_fits(path: Path, *, cells: int, batch: int, kv_type: str = "f16") -> Prediction:
    """The prediction; MolliaError if it exceeds what is free."""
    need, free = predict(path, cells=cells, batch=batch, kv_type=kv_type), available()
    if free is not None and need.total > free:
        raise MolliaError(
            f"{path.name} needs about {_mb(need.total)} of memory (weights {_mb(need.weights)}, "
            f"cache {_mb(need.cache)} for {count(cells, 'token')}, batches {_mb(need.compute)}), {_mb(free)} are free",
            "use a smaller model, lower annotate.context in mollia.toml, or close other programs",
        )
    return need


def check_cache_fits(path: Path, *, cells: int, batch: int, kv_type: str = "f16") -> None:
    """MolliaError if a loaded model has no memory left for a cache of ``cells`` tokens."""
    need, free = predict(path, cells=cells, batch=batch, kv_type=kv_type), available()
    if free is not None and need.cache + need.compute > free:
        raise MolliaError(
            f"{path.name} needs {_mb(need.cache)} of memory to cache {count(cells, 'token')}, {_mb(free)} are free",
            "cut long texts (annotate.context in mollia.toml), use a smaller model, or close other programs",
        )


def available() -> int | None:
    """Bytes of memory that a process can still get, or None where that is not known."""
    limits = [_meminfo("MemAvailable"), _cgroup_free(), _limit_free()]
    known = [limit for limit in limits if limit is not None]
    return min(known, default=None)


def disk_free(folder: Path) -> int:
    """Bytes free on the disk of a folder, which need not exist yet."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def _head_width(header: Header, side: str) -> int:
    """Numbers per layer and token in the key or value cache."""
    heads = header.setting("attention.head_count")
    kv_heads = header.setting("attention.head_count_kv", heads)
    per_head = header.setting(f"attention.{side}_length", header.setting("embedding_length") // max(heads, 1))
    return kv_heads * per_head


def _meminfo(key: str) -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)


def _cgroup_free() -> int | None:
    """What a container's limit leaves (cgroup 2)."""
    root = Path("/sys/fs/cgroup")
    try:
        limit = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
        stat = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
        return None if limit == "max" else int(limit) - used + int(stat.get("inactive_file", 0))
    except (OSError, ValueError):
        return None


def _limit_free() -> int | None:
    """What the shell's limit on a process's memory (ulimit -v) leaves."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):
        return None
    return None if limit == resource.RLIM_INFINITY else max(limit - used, 0)


def _mb(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
