"""Fine-tuning that starts from the linear head (Kumar et al. 2022: LP-FT), on the panel's verdicts.

    python benchmarks/from_head.py --data DIR --encoders A,B --outputs FILE.npy [--columns NAMES] [--start random]
                                   [--epochs 2] [--rate 2e-5] [--batch 25] [--draws 0,1] [--out DIR]

The head on the thirds of the last encoder's layers, fitted as LinearLearner fits it to the verdicts' probabilities, and
the encoder below it are trained further, without dropout; draws and verdicts are those of noisy.py, with its options.
Printed: accuracy on the test texts of the head alone and after each epoch (none of them is chosen by it), and CPU
seconds of training and testing.
"""

import json
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from instead import counts, material
from noisy import drawn, parser
from torch import Tensor, nn

from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.rng import stream_seed
from mollia_cli.learners.base import Examples, join
from mollia_cli.learners.devices import choose_device, fast_dtype
from mollia_cli.learners.frozen import thirds_of
from mollia_cli.learners.head import Head, Scaling, choose_ridge, fit_head, shortened
from mollia_cli.learners.pretrained import load_pretrained, load_tokenizer
from mollia_cli.learners.tokens import TokenStore
from mollia_cli.learners.training import Part, Schedule, Trainer


class Probed(nn.Module):
    """An encoder with a linear head on the thirds of its layers, as of FrozenEncoder, for Trainer."""

    base_model_prefix = "body"

    def __init__(self, body: Any, head: Head) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(head.weight.shape[1], head.weight.shape[0])
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weight))
            self.head.bias.copy_(torch.from_numpy(head.bias))
        for module in body.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

    def get_input_embeddings(self) -> Any:
        return self.body.get_input_embeddings()

    def set_input_embeddings(self, embeddings: Any) -> None:
        self.body.set_input_embeddings(embeddings)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        states = self.body(**inputs, output_hidden_states=True).hidden_states
        mask = attention_mask[..., None].float()
        means = [(state.float() * mask).sum(1) / mask.sum(1) for state in states]
        thirds = [torch.stack([means[layer] for layer in third]).mean(0) for third in thirds_of(len(states))]
        with torch.autocast(input_ids.device.type, enabled=False):
            return SimpleNamespace(logits=self.head(torch.cat(thirds, dim=1)))


def linear_head(thirds: FloatArray, examples: Examples, seed: int) -> Head:
    """The head that LinearLearner fits to ``thirds`` [n, 3, d]."""
    scaling = Scaling.of(thirds)
    features, basis = shortened(scaling.apply(thirds))
    head = fit_head(features, examples, 0.0, choose_ridge(features, examples, 0.0, seed))
    return scaling.fold(Head(head.weight @ basis, head.bias))


def main() -> None:
    """Parse, measure, print."""
    reading = parser(__doc__)
    reading.add_argument("--start", choices=("head", "random"), default="head")
    reading.add_argument("--epochs", type=int, default=2)
    reading.add_argument("--rate", type=float, default=2e-5)
    reading.add_argument("--batch", type=int, default=25)
    reading.add_argument("--draws", type=counts, default=[0])
    options = reading.parse_args()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    data, gold = material(options)
    folder, made = list(data.encoders.values())[-1], list(data.embedded.values())[-1]
    device = choose_device("cpu")
    tokens = TokenStore(load_tokenizer(folder), options.tokens, None)
    true, classes = gold[data.train :], len(data.labels)
    test = Part.of(
        Examples.gold(data.texts[data.train :], true, classes), tokens.encode(data.texts[data.train :]), device
    )
    for number in options.draws:
        draw, verdicts = drawn(data, gold, number, options)
        rows, soft = np.concatenate([draw.given, draw.pool]), verdicts[: len(draw.pool)]
        given, read = ([data.texts[row] for row in part] for part in (draw.given, draw.pool))
        others = Examples(
            tuple(read), soft.argmax(1), np.ones(len(soft)), np.zeros(soft.shape, bool), np.zeros(len(soft), bool), soft
        )
        examples = join(Examples.gold(given, draw.labels, classes), others)
        head = linear_head(made.thirds[rows], examples, number)
        alone = float((head.logits(made.thirds[data.train :].reshape(len(true), -1)).argmax(axis=1) == true).mean())
        if options.start == "random":
            weight = np.random.default_rng(number).normal(0.0, 0.02, head.weight.shape)
            head = Head(weight, np.zeros(classes))
        model = Probed(load_pretrained(folder, ("a", "b"), 0, device).base_model, head)
        begin = time.process_time()
        schedule = Schedule(options.rate, options.batch, options.epochs, options.epochs)
        report = Trainer(model, schedule, 0.0, device, fast_dtype(device)).fit(
            Part.of(examples, tokens.encode(examples.texts), device), test, stream_seed(number, "from the head")
        )
        found = {"draw": number, "start": options.start, "head alone": alone}
        found["epochs"] = [round(record["validation_micro_f1"], 3) for record in report.history]
        print(json.dumps({**found, "cpu": round(time.process_time() - begin, 1)}), flush=True)


if __name__ == "__main__":
    main()
