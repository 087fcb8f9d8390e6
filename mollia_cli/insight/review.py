"""``mollia review`` and ``mollia label``: a person decides on one item after the other; all is stored at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from types import MappingProxyType

import numpy as np

from mollia_cli.domain.decisions import IGNORE, LABEL, NOTE, RANDOM, SEARCH, Decision
from mollia_cli.domain.errors import InputError, MolliaError, NotFoundError, StoreError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.verdicts import Verdict
from mollia_cli.insight.overlap import overlapping
from mollia_cli.learners.base import Learner
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.loop.select import rank, undecided
from mollia_cli.project.context import Project
from mollia_cli.project.fields import where
from mollia_cli.project.guidelines import read_guidelines
from mollia_cli.project.labels import user_name
from mollia_cli.project.learner import best_round, current_run, finished_rounds, learner_loader
from mollia_cli.project.observe import members, observed_by_all
from mollia_cli.strategies import STRATEGIES

DOUBT, TYPICAL, DISAGREEMENTS = "doubt", "seed", "disagreements"
# The classifier reads so many items at once, the present one and those behind it.
_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that the person may know of one item.

    llms: (name, label probabilities [K], normalised) of each LLM. decision: the one that holds, and whose it is;
    answers: what each person has decided. Of an item that others have labelled: nothing but the person's own.
    """

    item: Item
    verdict: Verdict | None
    llms: tuple[tuple[str, FloatArray], ...]
    decision: Decision | None
    answers: tuple[Decision, ...]
    note: str


class Review:
    """One person's sitting: a queue of items, the place in it, and what was decided.

    seed: labels make seed items. order: how the queue was made, in a word; chosen: how an item came into it, by
    id, where that is another. again: items that others have labelled (``overlapping``): what they and machines
    think stays hidden. adjudicates: what is decided settles what people disagree on.
    """

    def __init__(
        self,
        project: Project,
        queue: Sequence[str],
        who: str,
        order: str,
        seed: bool = False,
        chosen: Mapping[str, str] = MappingProxyType({}),
        again: Sequence[str] = (),
        adjudicates: bool = False,
    ) -> None:
        self.labels = project.labels
        self.title = project.root.name
        self.queue = list(queue)
        self.position = 0
        self.who = who or user_name()
        self.order = order
        self.seed = seed
        self.adjudicates = adjudicates
        self.made: list[Decision] = []
        self.guidelines = read_guidelines(project)
        self._chosen = dict(chosen)
        self._again = frozenset(again)
        self._project = project
        self._store = project.store
        self._fit = project.store.verdicts.latest_fit()
        self._load: Callable[[], Learner] | None = None
        self._learner: Learner | None = None
        self._predictions: dict[str, FloatArray] = {}

    @property
    def blind(self) -> bool:
        """What machines think stays hidden: labels to learn and to measure from must not lean on it."""
        return self.seed or self._second(self.position)

    @property
    def card(self) -> Card | None:
        """The item whose turn it is; None behind the last one."""
        if self.position >= len(self.queue):
            return None
        [item] = self._store.items.get([self.queue[self.position]])
        decisions = self._store.decisions
        answers, holds, note = tuple(decisions.own(item.id)), decisions.standing(item.id), decisions.note(item.id)
        if self._second(self.position):
            answers = tuple(answer for answer in answers if answer.who == self.who)
            holds, note = next(iter(answers), None), ""
        return Card(item, self._verdict(item.id), tuple(self._llms(item.id)), holds, answers, note)

    @property
    def disagreements(self) -> int:
        """Items of this sitting that people disagree on now."""
        return len({decision.item_id for decision in self.made}.intersection(self._store.decisions.disagreements()))

    def label(self, label: int) -> Decision:
        """Give the present item a label and go on to the next."""
        return self._decide(LABEL, label=label)

    def ignore(self) -> Decision:
        """Set the present item aside, out of everything, and go on to the next."""
        return self._decide(IGNORE)

    def note(self, text: str) -> Decision:
        """Write a note on the present item; an empty one takes an older one away."""
        return self._decide(NOTE, note=text)

    def skip(self, steps: int = 1) -> None:
        """Go on, or back, without a decision."""
        self.position = min(max(self.position + steps, 0), len(self.queue))

    def undo(self) -> Decision | None:
        """Take back the person's last decision, of this sitting or else an earlier one, and go to its item."""
        last = self.made.pop() if self.made else self._store.decisions.last(self.who)
        if last is None:
            return None
        self._store.decisions.take_back(last)
        self._chosen[last.item_id] = last.chosen
        if last.item_id not in self.queue:
            self.queue.insert(self.position, last.item_id)
        self.position = self.queue.index(last.item_id)
        return last

    def find(self, words: str) -> int:
        """Bring the items whose text holds ``words`` next, and go to the first; returns how many there are."""
        found = self._store.items.find(words) if words.strip() else []
        if found:
            behind = set(found)
            # of what is to be labelled anyway, a search changes the order alone
            self._chosen.update(dict.fromkeys(behind.difference(self.queue if self.seed else ()), SEARCH))
            before = [item_id for item_id in self.queue[: self.position] if item_id not in behind]
            after = [item_id for item_id in self.queue[self.position :] if item_id not in behind]
            self.queue, self.position = [*before, *found, *after], len(before)
        return len(found)

    @property
    def has_classifier(self) -> bool:
        """There is a classifier to ask."""
        return self._load is not None

    def opinion(self, item_id: str) -> FloatArray | None:
        """[K] the classifier's probabilities, if it has read the item already."""
        return self._predictions.get(item_id)

    def unread(self) -> list[Item]:
        """What the classifier should read next: nothing where there is none, or it has predicted the present item."""
        ahead = self.queue[self.position : self.position + _AHEAD]
        if self._load is None or not ahead or ahead[0] in self._predictions:
            return []
        return self._store.items.get([item_id for item_id in ahead if item_id not in self._predictions])

    def read(self, items: Sequence[Item]) -> None:
        """Have the classifier read items. It does not touch the store, so that a thread may do it."""
        assert self._load is not None
        if self._learner is None:
            self._learner = self._load()
        self._predictions.update(
            zip([item.id for item in items], self._learner.predict_proba([i.text for i in items]), strict=True)
        )

    def use_classifier(self, run_name: str = "") -> None:
        """Show what the run's classifier thinks, where there is one."""
        run = current_run(self._project, run_name)
        trained = finished_rounds(self._project, run)
        self._load = learner_loader(self._project, best_round(self._project, run)) if trained else None

    def _decide(self, act: str, label: int | None = None, note: str = "") -> Decision:
        item_id = self.queue[self.position]
        earlier = self._store.decisions.own(item_id)
        chosen = earlier[0].chosen if earlier else self._chosen.get(item_id, self.order)
        seed = self.seed or (self.adjudicates and any(answer.seed for answer in earlier))
        decision = Decision(item_id, act, self.who, label, note, seed=seed and act == LABEL, chosen=chosen)
        decision = replace(decision, adjudicates=self.adjudicates and act != NOTE)
        verdict = self._verdict(item_id)
        if verdict is not None and self._fit is not None:
            decision = replace(decision, fit=self._fit.id, verdict=verdict.label, confidence=verdict.confidence)
        made = self._store.decisions.add(decision)
        self.made.append(made)
        if act != NOTE:
            self.skip()
        return made

    def _second(self, position: int) -> bool:
        """The item there is one that others have labelled and the person is to label, too."""
        return position < len(self.queue) and self.queue[position] in self._again

    def _verdict(self, item_id: str) -> Verdict | None:
        return None if self._fit is None else next(self._store.verdicts.get(self._fit.id, [item_id]).rows(), None)

    def _llms(self, item_id: str) -> list[tuple[str, FloatArray]]:
        """The panel of the verdicts; without verdicts, every LLM as it was asked last."""
        seen = self._store.observations.of_item(item_id)
        if self._fit is not None:
            seen = [one for one in seen if one[0] in self._fit.panel]
        scores = {name: np.exp(observation.log_probs) for _, name, observation in seen}
        return [(name, z / max(float(z.sum()), 1e-12)) for name, z in scores.items()]


def open_review(
    project: Project,
    strategy: str = DOUBT,
    below: float | None = None,
    limit: int = 0,
    run_name: str = "",
    who: str = "",
    conditions: Sequence[str] = (),
    overlap: int = 0,
) -> Review:
    """The pool items that nobody has labelled or set aside yet, those first that the strategy wants most.

    below: only verdicts of a lower confidence. limit: at most so many, 0 for all. conditions: only
    items that meet them, see project/fields.py. Without verdicts the panel's
    observations are aggregated now; ``doubt`` and ``below`` need some (NotFoundError where nothing was annotated),
    other strategies what ``mollia select`` needs for them. overlap: ``overlapping`` ones come before them.
    """
    STRATEGIES.check(strategy)
    wanted = where(project, conditions)
    again = overlapping(project, who, overlap, seed=False, wanted=wanted)
    candidates = undecided(project, wanted)
    confidence = _confidences(project, needed=strategy == DOUBT or below is not None)
    if strategy == DOUBT or below is not None:
        bound = 2.0 if below is None else below
        candidates = [item_id for item_id in candidates if confidence.get(item_id, bound) < bound]
    if strategy == DOUBT:
        queue = sorted(candidates, key=lambda item_id: (confidence[item_id], item_id))
    else:
        queue = [pick.id for pick in rank(project, strategy, candidates, limit or len(candidates), run_name)]
    how = strategy if below is None else f"{strategy}, below {below:g}"
    queue = [*again, *queue][: limit or None]
    review = Review(project, queue, who, strategy, chosen=dict.fromkeys(queue, how), again=again)
    review.use_classifier(run_name)
    return review


def open_disagreements(
    project: Project, run_name: str = "", who: str = "", conditions: Sequence[str] = (), limit: int = 0
) -> Review:
    """The items that people disagree on, with what each has decided; what is decided there holds.

    conditions: only items that meet them, see project/fields.py. limit: at most so many, 0 for all.
    """
    disputed, wanted = project.store.decisions.disagreements(), where(project, conditions)
    queue = [item_id for item_id in disputed if wanted is None or item_id in wanted][: limit or None]
    review = Review(project, queue, who, DISAGREEMENTS, adjudicates=True)
    review.use_classifier(run_name)
    return review


def open_labelling(project: Project, seeds: int, who: str = "", overlap: int = 0) -> Review:
    """The items to label so that the project has ``seeds`` labelled seed items.

    Where the panel has read enough of the pool, half of them are typical of its observations (the strategy "seed") and
    half are drawn at random: typical ones teach more, and accuracy can be measured on random ones alone. Else all
    are random. The two kinds take turns, so that whoever stops early has both. Asked again with the same number,
    the choice goes on where it was left. overlap: ``overlapping`` ones come before them. Raises InputError where there
    are so many already, or the pool is empty.
    """
    have, decisions = project.store.items.ids("seed", labelled=True), project.store.decisions
    again = overlapping(project, who, overlap, seed=True)
    if len(have) >= seeds and again:
        return Review(project, again, who, RANDOM, seed=True, again=again)
    if len(have) >= seeds:
        hint = f"for more: mollia label --seed {len(have) + 50}; or review the least confident verdicts: mollia review"
        raise InputError(f"the project has {len(have)} labelled seed items already", hint)
    runs = project.store.runs
    taken = {selection.item_id for run in runs.names() for selection in runs.selections(run)}
    taken.update(decisions.labels(), decisions.disagreements())
    free = [item_id for item_id in project.store.items.ids("pool") if item_id not in taken]
    if not free:
        raise InputError("the pool has no item left to label", "import texts first: mollia import texts.csv")
    chosen = decisions.seeds_chosen()
    # chosen from what there was before the first label, or the choice would change with every label
    start, open_ones = sorted({*free, *chosen, *decisions.ignored(), *decisions.disagreements()}), set(free)
    missing = min(seeds - len(have), len(free))
    typical = [item_id for item_id in _typical(project, start, missing, chosen) if item_id in open_ones]
    # of all that is left, which is what the panel's labels will be of; what is set aside is replaced at random, too
    left = open_ones.difference(typical)
    drawn = (pick.id for pick in rank(project, RANDOM, start, len(start)))
    random = [item_id for item_id in drawn if item_id in left][: missing - len(typical)]
    queue = [item_id for pair in zip_longest(typical, random) for item_id in pair if item_id is not None]
    how = dict.fromkeys(typical, TYPICAL) | dict.fromkeys(random, RANDOM)
    others = "; the others are typical of the LLMs' observations" if typical else ""
    project.say(f"{len(random)} of {len(queue)} items are drawn at random, and accuracy is measured on those{others}")
    return Review(project, [*again, *queue], who, TYPICAL if typical else RANDOM, seed=True, chosen=how, again=again)


def _typical(project: Project, start: Sequence[str], missing: int, chosen: Mapping[str, str]) -> list[str]:
    """Typical items, of ``start``, for half of the seed set; none where the panel has not read enough of the pool.

    chosen: the seed items that people have labelled already, and how they were chosen.
    """
    wanted = missing + len(chosen)
    half = wanted // 2
    if half < 1 or len(_observed(project, start)) < wanted:
        return []
    due = max(0, half - sum(how == TYPICAL for how in chosen.values()))
    return [pick.id for pick in rank(project, TYPICAL, start, half) if pick.id not in chosen][:due]


def _confidences(project: Project, needed: bool) -> dict[str, float]:
    """The confidence of the last verdicts by item id; without any, the panel's observations are aggregated now.

    Where that cannot be, and is not needed, there are none.
    """
    verdicts = project.store.verdicts
    try:
        if verdicts.latest_fit() is None and not len(aggregate(project).verdicts):
            raise NotFoundError(
                "there are no verdicts to review: no pool item was annotated yet",
                "annotate the pool first: mollia annotate --split pool, or mollia run",
            )
    except StoreError:
        raise
    except MolliaError:
        if needed:
            raise
    fit = verdicts.latest_fit()
    return {} if fit is None else verdicts.confidences(fit.id)


def _observed(project: Project, ids: Sequence[str]) -> list[str]:
    try:
        return observed_by_all(project, members(project), ids)
    except NotFoundError:  # there is no LLM
        return []
