"""Query strategies: which items to annotate next."""

from mollia_cli.domain.registry import Entry, Registry

STRATEGIES = Registry(
    "strategy",
    __name__,
    {
        "random": Entry("Random", "a uniform sample"),
        "entropy": Entry("Entropy", "highest predictive entropy (Lewis & Gale 1994; Settles 2009)"),
        "coreset": Entry("CoreSet", "k-center greedy on the learner's embeddings (Sener & Savarese 2018)"),
    },
)
