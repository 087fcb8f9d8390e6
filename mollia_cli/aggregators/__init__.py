"""Aggregators: verdicts from a panel's observations."""

from mollia_cli.domain.registry import Entry, Registry
from mollia_cli.domain.settings import AggregateSettings

# A project's default: the best honest one on the features at hand (benchmarks/README.md).
DEFAULT = AggregateSettings().aggregator

AGGREGATORS = Registry(
    "aggregator",
    __name__,
    {
        "mixture": Entry(
            "Mixture", "LLMs weighed beside a leave-one-out head on the embeddings of the panel's encoders"
        ),
        "conditional_logit": Entry(
            "ConditionalLogit",
            "self-trained conditional logit (McFadden 1974; Zou et al. 2018) with shared trust, mixed with trees",
        ),
        "molam": Entry("MoLAM", "XGBoost on all scores and votes, with pseudo-labels (the paper, Eqs. 4-6)"),
        "mol": Entry("MoL", "MoLAM without pseudo-labels (the paper's ablation)"),
        "single": Entry("Single", "the LLM with the highest accuracy on the seeds (the paper, Table 2)"),
        "vote": Entry("Vote", "majority of the annotators' most voted labels (Li et al. 2024)"),
        "mean_consistency": Entry("MeanConsistency", "mean of the annotators' vote shares (Wang et al. 2023)"),
        "mean_logits": Entry("MeanLogits", "mean of the annotators' label probabilities (Fathullah et al. 2023)"),
        "dawid_skene": Entry("DawidSkene", "a confusion matrix for each annotator, by EM (Dawid and Skene 1979)"),
    },
    contract="Aggregator",
)
