"""Stopping criteria: when a run has learnt what its items can teach it, or spent what it may."""

from mollia_cli.domain.registry import Entry, Registry

STOPPING = Registry(
    "stopping criterion",
    __name__,
    {
        "rounds": Entry("Rounds", "never: the number of rounds alone ends the run"),
        "plateau": Entry("Plateau", "performance no longer rises (Laws & Schuetze 2008)"),
        "agreement": Entry("Agreement", "successive classifiers agree, kappa .99 (Bloodgood & Vijay-Shanker 2009)"),
        "uncertainty": Entry("Uncertainty", "the classifier is confident on the whole pool (Zhu, Wang & Hovy 2008)"),
        "budget": Entry("Budget", "a budget of tokens or minutes is used up"),
    },
    contract="Criterion",
)
