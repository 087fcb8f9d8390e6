"""A trained classifier as ONNX."""

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mollia_cli.domain.errors import InputError
from mollia_cli.learners.base import HEAD_WEIGHTS
from mollia_cli.learners.frozen import thirds_of
from mollia_cli.learners.head import Head
from mollia_cli.learners.linear import read_head
from mollia_cli.learners.pretrained import load_pretrained, load_tokenizer, load_trained, most_tokens

_OPSET = 18


def export_onnx(folder: Path, out: Path) -> None:
    """Write the classifier of a saved folder as one ONNX file, in float32.

    Inputs: the tokenizer's (input_ids, attention_mask, token_type_ids where it has them), int64
    [batch, tokens], both free. Output: ``logits`` [batch, K]. Raises InputError without onnx and onnxscript.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise InputError("writing ONNX needs onnx and onnxscript", "install them: pip install 'mollia[onnx]'") from None
    headed = (folder / HEAD_WEIGHTS).is_file()
    model = load_pretrained(folder, ("a", "b"), 0) if headed else load_trained(folder)[0]
    encoded = load_tokenizer(folder)(["one text", "another, longer text"], padding=True, return_tensors="pt")
    names = tuple(encoded)
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=most_tokens(model))}
    classifier = _Linear(model, read_head(folder)[1], names) if headed else _Logits(model, names)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of torchvision, which nothing here needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about torch's own
        torch.onnx.export(
            classifier.eval(),
            tuple(encoded[name] for name in names),
            out,
            input_names=names,
            output_names=["logits"],
            dynamic_shapes=(tuple(free for _ in names),),
            opset_version=_OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


class _Logits(nn.Module):
    """The classifier as a function of the tokenizer's outputs by position."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: Tensor) -> Any:
        """[batch, K] logits."""
        return self.model(**dict(zip(self.names, inputs, strict=True))).logits


class _Linear(nn.Module):
    """A linear learner: the head on the thirds of the layers, side by side."""

    def __init__(self, model: Any, head: Head, names: tuple[str, ...]) -> None:
        super().__init__()
        self.body = model.base_model
        self.names = names
        self.register_buffer("weight", torch.from_numpy(head.weight).float())
        self.register_buffer("bias", torch.from_numpy(head.bias).float())
        self.weight: Tensor
        self.bias: Tensor

    def forward(self, *inputs: Tensor) -> Tensor:
        """[batch, K] logits."""
        given = dict(zip(self.names, inputs, strict=True))
        layers = self.body(**given, output_hidden_states=True).hidden_states
        states = torch.cat(
            [torch.stack([layers[k] for k in third]).mean(0) for third in thirds_of(len(layers))], dim=-1
        )
        mask = given["attention_mask"][..., None].float()
        return linear((states * mask).sum(1) / mask.sum(1), self.weight, self.bias)
