"""Learners: the classifier that is trained."""

from mollia_cli.domain.registry import Entry, Registry

LEARNERS = Registry(
    "learner",
    __name__,
    {
        "linear": Entry(
            "LinearLearner", "a linear head on a pretrained encoder's embeddings: seconds instead of minutes"
        ),
        "transformer": Entry("TransformerLearner", "a pretrained encoder (DistilBERT, DistilRoBERTa, ...), fine-tuned"),
    },
    contract="Learner",
)
