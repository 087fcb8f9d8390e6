"""Annotators: what assigns label probabilities to an item."""

from mollia_cli.domain.registry import Entry, Registry

ANNOTATORS = Registry(
    "annotator",
    __name__,
    {
        "llama": Entry("GgufAnnotator", "a local LLM in a GGUF file, through llama.cpp"),
        "llama-server": Entry("LlamaServer", "an LLM behind llama.cpp's HTTP server, by log-probabilities"),
        "vllm": Entry("Vllm", "an LLM behind vLLM, by log-probabilities"),
        "ollama": Entry("Ollama", "an LLM behind Ollama, by votes alone"),
        "replay": Entry("ReplayAnnotator", "stored outputs of LLMs, from a .npy or .jsonl file"),
        "encoder": Entry("Encoder", "a frozen encoder: aggregators that look at texts learn from its embeddings"),
        "human": Entry("HumanAnnotator", "a person, one text at a time"),
        "oracle": Entry("OracleAnnotator", "the items' true labels"),
    },
    contract="Annotator",
)
