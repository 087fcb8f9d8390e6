"""What the engine runs on: build, CPU features, devices, offload, threads, versions."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from mollia_cli.annotators.llama.binding.llama import ggml_of_llama, lib
from mollia_cli.annotators.llama.binding.memory import available
from mollia_cli.annotators.llama.binding.threads import available as cores
from mollia_cli.annotators.llama.binding.threads import candidates
from mollia_cli.domain.memory import resident

_DEVICE_TYPES = ("CPU", "GPU", "integrated GPU", "accelerator")  # ggml_backend_dev_type
_OFFLOAD = _DEVICE_TYPES[1:3]  # llama.cpp puts every layer on these, or refuses the model
# what the drivers put there -> how llama-cpp-python is built for it
_GPUS = {
    "/proc/driver/nvidia/version": ("an NVIDIA", "-DGGML_CUDA=on"),
    "/dev/kfd": ("an AMD", "-DGGML_HIP=on"),
    "/System/Library/Frameworks/Metal.framework": ("a Metal", "-DGGML_METAL=on"),
}


@dataclass(frozen=True, slots=True)
class Device:
    """A device that llama.cpp can compute on; ``type``: "CPU", "GPU", "integrated GPU" or "accelerator"."""

    name: str
    description: str
    type: str


@dataclass(frozen=True, slots=True)
class Engine:
    """llama.cpp as it is installed.

    system: CPU features and build flags by backend. runs_on: the devices that models are put on. cores: what this
    process may use; threads_measured: the counts that are measured. memory_free, memory_resident: bytes.
    """

    llama_cpp_python: str
    llama_cpp: str
    system: dict[str, list[str]]
    devices: tuple[Device, ...]
    runs_on: tuple[str, ...]
    gpu_offload: bool
    mmap: bool
    cores: int
    threads_measured: tuple[int, ...]
    memory_free: int | None
    memory_resident: int | None


def engine() -> Engine:
    """The engine of this installation; imports llama_cpp. Raises ImportError, OSError or RuntimeError without one."""
    api = lib()
    found = devices()
    return Engine(
        llama_cpp_python=version("llama-cpp-python"),
        llama_cpp=(api.llama_version() or b"").decode(),
        system=system_features(),
        devices=found,
        runs_on=tuple(device.name for device in found if device.type in _OFFLOAD) or ("CPU",),
        gpu_offload=bool(api.llama_supports_gpu_offload()),
        mmap=bool(api.llama_supports_mmap()),
        cores=cores(),
        threads_measured=tuple(candidates()),
        memory_free=available(),
        memory_resident=resident(),
    )


def uses_gpu() -> bool:
    """Whether annotation runs on a GPU."""
    return any(device.type in _OFFLOAD for device in devices())


def unused_gpu() -> str:
    """One sentence if this machine's GPU, or a GPU build of llama.cpp, is not what annotation runs on; else ''."""
    if uses_gpu():
        return ""
    kind, flag = next((words for sign, words in _GPUS.items() if Path(sign).exists()), ("", ""))
    if lib().llama_supports_gpu_offload():
        return f"llama.cpp was built for a GPU but can use none here{_because(kind)}: annotation runs on the CPU"
    if kind:
        return (
            f"this machine has {kind} GPU, but llama-cpp-python was built without it: annotation runs on the CPU; "
            f'CMAKE_ARGS="{flag}" pip install --force-reinstall --no-binary llama-cpp-python llama-cpp-python'
        )
    return ""


def _because(kind: str) -> str:
    return f" (there is {kind} driver)" if kind else " (no driver is found)"


def system_features() -> dict[str, list[str]]:
    """CPU features and build flags that llama.cpp was compiled with and finds here, by backend."""
    text = lib().llama_print_system_info().decode()
    features: dict[str, list[str]] = {}
    backend = ""
    for part in text.split("|"):
        name, colon, rest = part.partition(" : ")
        if colon:
            backend, part = name.strip(), rest
        flag, _, value = part.partition("=")
        if flag.strip() and value.strip() not in ("", "0"):
            features.setdefault(backend, []).append(flag.strip())
    return features


def devices() -> tuple[Device, ...]:
    """The devices that llama.cpp can compute on."""
    ggml = ggml_of_llama()
    found = []
    for index in range(ggml.ggml_backend_dev_count()):
        device = ggml.ggml_backend_dev_get(index)
        kind = ggml.ggml_backend_dev_type(device)
        found.append(
            Device(
                name=ggml.ggml_backend_dev_name(device).decode(),
                description=ggml.ggml_backend_dev_description(device).decode(),
                type=_DEVICE_TYPES[kind] if kind < len(_DEVICE_TYPES) else str(kind),
            )
        )
    return tuple(found)
