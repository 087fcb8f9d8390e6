"""Small encoders of every supported class, and a toy task that they learn in seconds."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import transformers  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers, processors  # noqa: E402

from mollia_cli.domain.labels import LabelSet  # noqa: E402
from mollia_cli.learners.base import Examples  # noqa: E402

WORDS = [f"w{number}" for number in range(60)]
LABELS = LabelSet(("red", "green", "blue"))
_SIZES = {
    "initializer_range": 0.1,
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
_DISTIL_SIZES = {"initializer_range": 0.1, "dim": 32, "n_heads": 2, "hidden_dim": 64}


def save_encoder(folder: Path, kind: str, layers: int = 2) -> Path:
    """A random encoder of a class, with a word-level tokenizer whose padding id is 1."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {token: number for number, token in enumerate(special + WORDS)}
    common = {"vocab_size": len(vocabulary), "pad_token_id": 1, "num_hidden_layers": layers}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = {
            "bert": lambda: transformers.BertModel(
                transformers.BertConfig(max_position_embeddings=40, **common, **_SIZES)
            ),
            "distilbert": lambda: transformers.DistilBertModel(
                transformers.DistilBertConfig(max_position_embeddings=40, **common, **_DISTIL_SIZES)
            ),
            "roberta": lambda: transformers.RobertaModel(
                transformers.RobertaConfig(max_position_embeddings=42, type_vocab_size=1, **common, **_SIZES)
            ),
            "mpnet": lambda: transformers.MPNetModel(
                transformers.MPNetConfig(max_position_embeddings=42, **common, **_SIZES)
            ),
        }[kind]()
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>"
    ).save_pretrained(folder)
    return folder


def colour_examples(n: int, seed: int) -> Examples:
    """Texts of 5 to 14 words, four in five of them from the 20 that are the label's own."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, n)
    texts = []
    for target in targets:
        size = rng.integers(5, 15)
        own, any_word = rng.integers(20 * target, 20 * target + 20, size), rng.integers(0, 60, size)
        texts.append(" ".join(WORDS[k] for k in np.where(rng.random(size) < 0.8, own, any_word)))
    return Examples.gold(texts, targets, 3)
