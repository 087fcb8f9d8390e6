"""Query strategies: which items to annotate next."""

from mollia_cli.domain.registry import Entry, Registry

STRATEGIES = Registry(
    "strategy",
    __name__,
    {
        "random": Entry("Random", "a uniform sample"),
        "entropy": Entry("Entropy", "highest predictive entropy (Settles 2009)"),
        "margin": Entry("Margin", "the two best labels closest together (Scheffer et al. 2001)"),
        "least_confidence": Entry("LeastConfidence", "least probable predicted label (Lewis & Gale 1994)"),
        "coreset": Entry("CoreSet", "k-center greedy on the learner's embeddings (Sener & Savarese 2018)"),
        "bemps": Entry("Bemps", "largest expected gain in Brier score, diverse: CoreMSE (Tan, Du & Buntine 2023)"),
        "bemps_corelog": Entry("BempsCoreLog", "the same for the logarithmic score: CoreLog (Tan, Du & Buntine 2023)"),
        "noise_stability": Entry("NoiseStability", "outputs that move most under weight noise (Li et al. 2024)"),
        "badge": Entry("Badge", "k-means++ on last-layer gradients (Ash et al. 2020)"),
        "disagreement": Entry("Disagreement", "annotators that differ most, Jensen-Shannon (McCallum & Nigam 1998)"),
        "doubt": Entry("Doubt", "lowest confidence of the aggregator's verdict"),
        "seed": Entry("Seed", "typical of the panel's observations, to label first: clustering (Zhu et al. 2008)"),
    },
    contract="Strategy",
)
