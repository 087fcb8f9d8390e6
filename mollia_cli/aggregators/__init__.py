"""Aggregators: what to believe of a panel's observations."""

from mollia_cli.domain.registry import Entry, Registry

AGGREGATORS = Registry(
    "aggregator",
    __name__,
    {
        "molam": Entry("MoLAM", "XGBoost on all scores and votes, with pseudo-labels (the paper, Eqs. 4-6)"),
        "vote": Entry("Vote", "majority of the annotators' most voted labels (Li et al. 2024)"),
        "mean_logits": Entry("MeanLogits", "mean of the annotators' label probabilities (Fathullah et al. 2023)"),
    },
)
