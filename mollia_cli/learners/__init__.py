"""Learners: the classifier that is trained."""

from mollia_cli.domain.registry import Entry, Registry

LEARNERS = Registry(
    "learner",
    __name__,
    {
        "transformer": Entry("TransformerLearner", "a pretrained encoder (DistilBERT, DistilRoBERTa, ...), fine-tuned"),
    },
    contract="Learner",
)
