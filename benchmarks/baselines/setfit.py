"""SetFit (Tunstall et al. 2022): a sentence encoder tuned on pairs of labelled texts, then logistic regression."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from baselines.frozen import logistic, unit
from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.rng import stream, stream_seed

# The library's defaults; of each text so many pairs of the same and as many of another label (the paper's R).
PAIRS, BATCH, RATE, WARMUP, PENALTY = 20, 16, 2e-5, 0.1, 1.0


def pairs(labels: IntArray, seed: int) -> tuple[IntArray, IntArray, FloatArray]:
    """(first rows, second rows, 1 for the same label and 0 for another), in random order.

    A row whose label no other row has is paired with itself, as the library does.
    """
    rng = stream(seed, "setfit pairs")
    first, second, same = [], [], []
    for row, label in enumerate(labels):
        for wanted in (1.0, 0.0):
            among = np.flatnonzero((labels == label) == bool(wanted))
            among = among[among != row] if len(among) > 1 else among
            if len(among):
                first += [row] * PAIRS
                second += rng.choice(among, PAIRS).tolist()
                same += [wanted] * PAIRS
    order = rng.permutation(len(first))
    return np.array(first)[order], np.array(second)[order], np.array(same)[order]


def setfit(
    folder: Path, texts: Sequence[str], labels: IntArray, others: Sequence[str], classes: int, tokens: int, seed: int
) -> FloatArray:
    """[n, K] probabilities of the other texts. tokens: texts are cut there."""
    import torch
    from transformers import AutoModel

    from mollia_cli.learners.devices import autocast, choose_device, fast_dtype
    from mollia_cli.learners.inference import to_tensors, token_budget
    from mollia_cli.learners.pretrained import load_tokenizer
    from mollia_cli.learners.tokens import TokenStore, plan_batches

    torch.manual_seed(stream_seed(seed, "setfit"))
    device = choose_device("auto")
    model: Any = AutoModel.from_pretrained(str(folder), local_files_only=True, attn_implementation="eager").to(device)
    store = TokenStore(load_tokenizer(folder), tokens)

    def embed(encoded: Any, rows: IntArray) -> Any:
        inputs = to_tensors(encoded, rows, device)
        with autocast(device, fast_dtype(device)):
            states = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None]
        return torch.nn.functional.normalize((states.float() * mask).sum(1) / mask.sum(1), dim=1)

    def embed_all(given: Sequence[str]) -> FloatArray:
        encoded = store.encode(given)
        made = np.zeros((len(given), model.config.hidden_size), dtype=np.float32)
        with torch.inference_mode():
            for rows in plan_batches(encoded.lengths, token_budget(device)):
                made[rows] = embed(encoded, rows).cpu().numpy()
        return unit(made)

    first, second, same = pairs(labels, seed)
    encoded, steps = store.encode(texts), -(-len(first) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    warm = max(1, round(WARMUP * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
    )
    model.train()
    for begin in range(0, len(first), BATCH):
        part = slice(begin, begin + BATCH)
        rows, places = np.unique(np.concatenate([first[part], second[part]]), return_inverse=True)
        made = embed(encoded, rows)[torch.from_numpy(places)]
        half = len(places) // 2
        cosine = (made[:half] * made[half:]).sum(1)
        wanted = torch.from_numpy(same[part]).to(device, torch.float32)
        loss = torch.nn.functional.mse_loss(cosine, wanted)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.eval()
    return logistic(embed_all(texts), np.eye(classes)[labels], PENALTY)(embed_all(others))
