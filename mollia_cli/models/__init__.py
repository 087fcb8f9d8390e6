"""Models: the catalogue, what is installed, and (in ``pull``) the only way to the network."""

from mollia_cli.models.engine_facts import engine_facts, store_engine_facts
from mollia_cli.models.installed import (
    Checked,
    Installed,
    Listed,
    ModelFile,
    add,
    check,
    check_model,
    check_name,
    installed_names,
    is_gguf,
    is_installed,
    list_models,
    looks_like_path,
    remove,
    resolve_encoder,
    resolve_llm,
    size_of,
)
from mollia_cli.models.tuned import install_tuned, tuned_copies, tuning_folder

__all__ = [
    "Checked",
    "Installed",
    "Listed",
    "ModelFile",
    "add",
    "check",
    "check_model",
    "check_name",
    "engine_facts",
    "install_tuned",
    "installed_names",
    "is_gguf",
    "is_installed",
    "list_models",
    "looks_like_path",
    "remove",
    "resolve_encoder",
    "resolve_llm",
    "size_of",
    "store_engine_facts",
    "tuned_copies",
    "tuning_folder",
]
