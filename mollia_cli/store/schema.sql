-- A project's whole database (migration m001), and what every column means: docs/database.md and `mollia sql` without
-- a query are made of this file. A blank line ends a statement; the comment above a table or view is about it, the one
-- behind a column (which may go on in the next line) about that column.
-- From the 0.1.0 tag on this file stays as it is: what comes later is a migration of its own, in migrations.py.

-- Every label there is: gold seeds, then the pool as people or else the last aggregation labelled it.
-- The same rows as `mollia export labels`.
CREATE VIEW labelled_items (
    id, -- `items.id`
    text, -- the text
    label, -- the label's name; in a project with several labels a JSON array of all that apply
    confidence, -- 0 to 1; 1 for gold and human labels; of several labels that of the least certain one
    source, -- `gold`, `human` or the aggregator's name
    who, -- the people whose label it is, with commas; empty where it was imported or is a verdict
    negatives, -- JSON array: names of the labels that it is not (Eq. 5); empty with several labels
    fields -- `items.fields`: each is a column of its own in `mollia export labels`
) AS
SELECT
    i.id, i.text, i.label, 1.0, CASE WHEN d.id IS NULL THEN 'gold' ELSE 'human' END, coalesce(d.who, ''), '[]',
    i.fields
FROM items i LEFT JOIN standing_decisions d ON d.item = i.id
WHERE i.split = 'seed' AND i.label IS NOT NULL AND coalesce(d.act, 'label') = 'label'
UNION ALL
SELECT
    i.id, i.text, coalesce(d.label, v.label), CASE WHEN d.label IS NULL THEN v.confidence ELSE 1.0 END,
    CASE WHEN d.label IS NULL THEN v.aggregator ELSE 'human' END,
    CASE WHEN d.label IS NULL THEN '' ELSE d.who END,
    CASE WHEN d.label IS NULL THEN v.negatives ELSE '[]' END,
    i.fields
FROM items i
LEFT JOIN standing_decisions d ON d.item = i.id
LEFT JOIN current_verdicts v ON v.item = i.id AND v.question = ''
WHERE i.split = 'pool' AND coalesce(d.label, v.label) IS NOT NULL AND coalesce(d.act, 'label') = 'label'
UNION ALL
SELECT
    i.id, i.text, json_group_array(v.question) FILTER (WHERE v.label = 'yes'), min(v.confidence), v.aggregator, '', '[]',
    i.fields
FROM current_verdicts v JOIN items i ON i.id = v.item
WHERE v.question <> '' AND i.split = 'pool' AND i.id NOT IN (SELECT item FROM standing_decisions)
GROUP BY i.id HAVING count(*) = (SELECT count(DISTINCT question) FROM fits);

-- What each annotator answered of each item, in words.
CREATE VIEW annotator_answers (
    item, -- `items.id`
    text, -- the text
    split, -- `items.split`
    annotator, -- the LLM's name
    kind, -- `gguf` (an LLM), `replay` (stored outputs), or another package's word
    question, -- in a project with several labels the one that it was asked about, else empty
    label, -- its most probable label, or of a question `yes` or `no`; null where its label set is not known
    log_prob, -- natural log of that label's probability, whole label string
    vote_share, -- share of its answers that were that label
    mass, -- probability on all labels together
    invalid, -- share of its answers that were no label
    answers, -- JSON array: those answers, where they were decoded
    tokens, -- tokens decoded for this item
    seconds, -- its share of the batch's time; null where it was not measured
    true_label, -- the item's known label, or of a question `yes` or `no`, or null
    is_right -- 1 or 0; null where no true label is known
) AS
SELECT *, label = true_label
FROM (
    SELECT
        o.item, i.text, i.split, a.name, json_extract(a.identity, '$.annotator'), a.question, l.name AS label,
        json_extract(o.log_probs, '$[' || o.best || ']'), json_extract(o.votes, '$[' || o.best || ']'),
        o.mass, o.invalid, o.answers, o.tokens, o.seconds,
        CASE WHEN a.question = '' OR i.label IS NULL THEN i.label
            ELSE iif(a.question IN (SELECT value FROM json_each(i.label)), 'yes', 'no') END AS true_label
    FROM (
        SELECT *, (SELECT key FROM json_each(log_probs) ORDER BY value DESC, key LIMIT 1) AS best
        FROM observations
    ) o
    JOIN (SELECT *, coalesce(json_extract(identity, '$.question'), '') AS question FROM annotators) a
    ON a.key = o.annotator
    JOIN items i ON i.id = o.item
    LEFT JOIN label_sets l ON l.digest = json_extract(a.identity, '$.labels') AND l.position = o.best
);

-- The verdicts of the last aggregation.
CREATE VIEW current_verdicts (
    item, -- `items.id`
    text, -- the text
    question, -- `fits.question`; an item has a row for each
    label, -- the most probable label (y+), or of a question `yes` or `no`
    confidence, -- its calibrated probability
    negatives, -- JSON array: names of the labels that it is not (y-, Eq. 5)
    aggregator, -- the aggregator's name
    true_label, -- the item's known label, or of a question `yes` or `no`, or null
    is_right -- 1 or 0; null where no true label is known
) AS
SELECT *, label = true_label
FROM (
    SELECT
        v.item, i.text, f.question, v.label, v.confidence, v.negatives, f.aggregator,
        CASE WHEN f.question = '' OR i.label IS NULL THEN i.label
            ELSE iif(f.question IN (SELECT value FROM json_each(i.label)), 'yes', 'no') END AS true_label
    FROM verdicts v
    JOIN fits f ON f.id = v.fit
    JOIN items i ON i.id = v.item
    WHERE f.aggregated IN (SELECT max(aggregated) FROM fits GROUP BY question)
);

-- One row for each round of each run, with what was measured.
CREATE VIEW round_results (
    run, -- `runs.name`
    round, -- 0 trains on the seed set alone
    strategy, -- the run's query strategy
    annotator, -- who labelled: panel, replay, human or oracle
    aggregator, -- the run's aggregator
    labelled, -- items that the classifier was trained on
    verdict_accuracy, -- accuracy of the verdicts, where true labels of the pool are known
    validation_f1, -- micro-F1 on the validation items
    test_micro_f1, -- micro-F1 on the test items
    test_macro_f1, -- macro-F1 on the test items
    seconds, -- wall-clock of all steps
    memory, -- `rounds.memory`
    model, -- `rounds.model`
    started_at, -- UTC, ISO 8601
    finished_at -- UTC, ISO 8601; null while the round is unfinished
) AS
SELECT
    r.run, r.round, json_extract(s.settings, '$.strategy'), json_extract(s.settings, '$.annotator'),
    json_extract(s.settings, '$.aggregator'), json_extract(r.metrics, '$.labelled'),
    json_extract(r.metrics, '$.verdict_accuracy'), json_extract(r.metrics, '$.validation_f1'),
    json_extract(r.metrics, '$.test_micro_f1'), json_extract(r.metrics, '$.test_macro_f1'),
    (SELECT sum(value) FROM json_each(r.seconds)), r.memory, r.model, r.started_at, r.finished_at
FROM rounds r JOIN runs s ON s.name = r.run;

-- What each person has decided on each item: the person's last label or ignoring that was not taken back. An
-- adjudication is not among them, so that they are independent of each other.
CREATE VIEW own_decisions (
    id, -- `decisions.id`
    item, -- `items.id`
    who, -- the person's name
    act, -- `label` or `ignore`
    label, -- the label given, or null
    agreeing, -- people who have decided the same on the item, this one included
    most -- people behind the decision that most have made on the item
) AS
SELECT id, item, who, act, label, agreeing, max(agreeing) OVER (PARTITION BY item)
FROM (
    SELECT id, item, who, act, label, count(*) OVER (PARTITION BY item, act, label) AS agreeing
    FROM decisions
    WHERE id IN (
        SELECT max(id) FROM decisions WHERE act <> 'note' AND adjudicates = 0 AND undone_at IS NULL GROUP BY item, who
    )
);

-- Of each item that people have decided on, the decision that holds: the last adjudication; without one, what more
-- people have decided than anything else (of one person: the last decision). Where neither is there, people disagree:
-- nothing holds, and the item is in `disagreements`.
CREATE VIEW standing_decisions (
    id, -- `decisions.id`: of those who have decided so, the last one's
    item, -- `items.id`
    act, -- `label` or `ignore`
    label, -- the label given, or null
    note, -- the note, or empty
    seed, -- 1 if it made the item a seed item
    chosen, -- how the item came before the person: `random`, another query strategy, `search`; empty in a run
    fit, -- `fits.id` of the verdict that the person saw, or null
    verdict, -- that verdict's label
    confidence, -- that verdict's confidence
    known, -- the label that the item came with, or null
    who, -- whose it is: the adjudicator, or all who have decided so, with commas
    adjudicates, -- 1 if it settles what people disagree on
    made_at, -- UTC, ISO 8601
    undone_at -- when it was taken back, or null
) AS
SELECT
    d.id, d.item, d.act, d.label, d.note, d.seed, d.chosen, d.fit, d.verdict, d.confidence, d.known, s.who,
    d.adjudicates, d.made_at, d.undone_at
FROM (
    SELECT max(id) AS id, who FROM decisions WHERE adjudicates = 1 AND undone_at IS NULL GROUP BY item
    UNION ALL
    SELECT max(id), group_concat(who, ', ') FROM (SELECT * FROM own_decisions ORDER BY id)
    WHERE agreeing = most
        AND item NOT IN (SELECT item FROM decisions WHERE adjudicates = 1 AND undone_at IS NULL)
    GROUP BY item HAVING count(*) = max(agreeing)
) s JOIN decisions d ON d.id = s.id;

-- The items that people disagree on and nobody has adjudicated (`mollia review --disagreements`): a row for each person.
CREATE VIEW disagreements (
    item, -- `items.id`
    text, -- the text
    who, -- the person's name
    act, -- `label` or `ignore`
    label, -- the label given, or null
    id -- `decisions.id`
) AS
SELECT o.item, i.text, o.who, o.act, o.label, o.id
FROM own_decisions o JOIN items i ON i.id = o.item
WHERE o.item NOT IN (SELECT item FROM standing_decisions);

-- What each annotator has done so far.
CREATE VIEW annotator_costs (
    annotator, -- its name; once for each identity (another prompt is another annotator)
    items, -- items observed
    mass, -- mean probability on the labels
    invalid, -- mean share of answers that were no label
    tokens, -- tokens decoded
    seconds, -- wall-clock, where it was measured
    memory, -- bytes that it added to the process at most, its weights and cache included
    truncated, -- texts that were cut to fit the context
    created_at, -- first use; UTC, ISO 8601
    key -- `annotators.key`
) AS
SELECT
    a.name, count(o.item), avg(o.mass), avg(o.invalid), sum(o.tokens), sum(o.seconds), max(o.memory),
    sum(o.truncated), a.created_at, a.key
FROM annotators a LEFT JOIN observations o ON o.annotator = a.key
GROUP BY a.key;

-- The texts.
CREATE TABLE items (
    position INTEGER PRIMARY KEY, -- order of import
    id TEXT NOT NULL UNIQUE, -- your own id, or 16 digits of the text's SHA-256
    text TEXT NOT NULL, -- the text
    text_digest TEXT NOT NULL UNIQUE, -- SHA-256 of the text
    folded TEXT NOT NULL,
    -- 16 digits of the SHA-256 of the text without markup, punctuation, case and white space: near-duplicates share it
    split TEXT NOT NULL CHECK (split IN ('pool', 'seed', 'validation', 'test')),
    -- `pool`, `seed`, `validation` or `test`
    label TEXT,
    -- the known (gold) label's name, in a project with several labels a JSON array of all that apply, or null; of pool
    -- items for evaluation only
    source TEXT NOT NULL, -- the file that it came from
    fields TEXT NOT NULL DEFAULT '{}', -- JSON object: the other columns of its row in that file, those that are not empty
    imported_at TEXT NOT NULL, -- UTC, ISO 8601
    import_id INTEGER REFERENCES imports (id) -- `imports.id`; null where a script has added it
);

CREATE INDEX items_by_split ON items (split, position);

CREATE INDEX items_by_folded ON items (folded, split);

CREATE INDEX items_by_import ON items (import_id) WHERE import_id IS NOT NULL;

-- The imports that have added or changed items (`mollia imports`).
CREATE TABLE imports (
    id INTEGER PRIMARY KEY, -- number, in their order
    name TEXT NOT NULL, -- the file
    split TEXT NOT NULL, -- the split that it was imported as
    imported_at TEXT NOT NULL, -- UTC, ISO 8601
    undone_at TEXT -- when it was taken back, or null
);

-- What items were before an import of the same texts or `mollia move` gave them another split or a label.
CREATE TABLE item_changes (
    id INTEGER PRIMARY KEY, -- number, in their order
    item TEXT NOT NULL REFERENCES items (id), -- `items.id`
    import_id INTEGER REFERENCES imports (id), -- `imports.id`; null where it was `mollia move`
    split TEXT NOT NULL, -- `items.split` before
    label TEXT, -- `items.label` before
    changed_at TEXT NOT NULL -- UTC, ISO 8601
);

CREATE INDEX item_changes_by_item ON item_changes (item, id);

-- The label sets that the project has had; JSON arrays elsewhere follow their order.
CREATE TABLE label_sets (
    digest TEXT NOT NULL, -- identity of the set: names, order, descriptions
    position INTEGER NOT NULL, -- 0, 1, ...
    name TEXT NOT NULL, -- the label
    description TEXT NOT NULL, -- what it means, as in mollia.toml
    is_current INTEGER NOT NULL, -- 1 in the set that items, decisions, current verdicts and runs are of, else 0
    PRIMARY KEY (digest, position)
) WITHOUT ROWID;

-- Who observed: an LLM with its prompt and decoding, stored outputs, or another kind of panel member.
CREATE TABLE annotators (
    key TEXT PRIMARY KEY, -- digest of `identity`
    name TEXT NOT NULL, -- what it is called
    identity TEXT NOT NULL, -- JSON: everything that its observations depend on
    created_at TEXT NOT NULL -- first use; UTC, ISO 8601
) WITHOUT ROWID;

-- What one annotator observed of one item.
CREATE TABLE observations (
    annotator TEXT NOT NULL REFERENCES annotators (key), -- `annotators.key`
    item TEXT NOT NULL REFERENCES items (id), -- `items.id`
    log_probs TEXT NOT NULL,
    -- JSON array in the label set's order: natural log of each whole label's probability; -10000 for none
    votes TEXT NOT NULL, -- JSON array in the label set's order: share of the answers that were it
    mass REAL NOT NULL, -- probability on all labels together
    invalid REAL NOT NULL, -- share of the answers that were no label
    slack REAL NOT NULL, -- upper bound of the probability that pruning left out of `mass`
    answers TEXT NOT NULL, -- JSON array: answers that were no label, where they were decoded
    tokens INTEGER NOT NULL, -- tokens decoded for this item
    truncated INTEGER NOT NULL, -- 1 if the text was cut to fit the context
    seconds REAL, -- its share of the batch's time
    memory INTEGER, -- bytes that the LLM had added to the process at most by then; null where it is not known
    PRIMARY KEY (annotator, item)
) WITHOUT ROWID;

-- The files whose observations were brought home (`mollia merge`); those that had nothing new are not among them.
CREATE TABLE merges (
    id INTEGER PRIMARY KEY, -- number, in their order
    name TEXT NOT NULL, -- the file
    digest TEXT NOT NULL, -- SHA-256 of the file
    new INTEGER NOT NULL, -- observations that were new here
    there INTEGER NOT NULL, -- observations that were here already, with the same numbers
    different INTEGER NOT NULL, -- observations that were here with other numbers, which have stayed
    merged_at TEXT NOT NULL -- UTC, ISO 8601
);

-- Fitted aggregators.
CREATE TABLE fits (
    id INTEGER PRIMARY KEY, -- number
    digest TEXT NOT NULL UNIQUE,
    -- digest of everything that the fit and its verdicts depend on: mollia's version, the aggregator's settings,
    -- Eq. 5's rule, the panel, labels, items
    aggregator TEXT NOT NULL, -- its name
    question TEXT NOT NULL, -- in a project with several labels the one that its yes/no verdicts are about, else empty
    panel TEXT NOT NULL, -- JSON array of `annotators.key`
    seed_items INTEGER NOT NULL, -- labelled items that it learned from
    pool_items INTEGER NOT NULL, -- unlabelled items that it learned from
    state TEXT NOT NULL, -- JSON: what it has learned
    calibration TEXT NOT NULL, -- JSON: temperature and reliability, or null
    aggregated INTEGER, -- of its question, the fit that verdicts were made by last has the highest
    created_at TEXT NOT NULL -- UTC, ISO 8601
);

-- The verdicts of each fit. Rows are added only.
CREATE TABLE verdicts (
    fit INTEGER NOT NULL REFERENCES fits (id), -- `fits.id`
    item TEXT NOT NULL REFERENCES items (id), -- `items.id`
    label TEXT NOT NULL, -- the most probable label (y+)
    confidence REAL NOT NULL, -- its calibrated probability
    probabilities TEXT NOT NULL, -- JSON array in the label set's order
    negatives TEXT NOT NULL, -- JSON array: names of the labels that it is not (y-, Eq. 5)
    PRIMARY KEY (fit, item)
) WITHOUT ROWID;

-- Runs of active learning.
CREATE TABLE runs (
    name TEXT PRIMARY KEY, -- the run's name
    settings TEXT NOT NULL, -- JSON: fixed when the run was opened
    record TEXT, -- JSON: what it takes to repeat it (`mollia rerun`): settings file, prompt, digests, versions
    created_at TEXT NOT NULL, -- UTC, ISO 8601
    used_at TEXT NOT NULL, -- UTC, ISO 8601, with a counter; the highest is the current run
    stopped TEXT -- why it ended before its number of rounds; null while it has not
) WITHOUT ROWID;

-- Rounds of the runs.
CREATE TABLE rounds (
    run TEXT NOT NULL REFERENCES runs (name), -- `runs.name`
    round INTEGER NOT NULL, -- 0, 1, ...
    fit INTEGER REFERENCES fits (id), -- `fits.id` that its verdicts are from
    model TEXT, -- the trained model's folder, within the project
    metrics TEXT, -- JSON: what was measured; null until the round is finished
    seconds TEXT NOT NULL, -- JSON: wall-clock by step
    memory INTEGER, -- bytes: the process's peak while it trained, without LLMs that were kept loaded
    started_at TEXT NOT NULL, -- UTC, ISO 8601
    finished_at TEXT, -- UTC, ISO 8601
    PRIMARY KEY (run, round)
) WITHOUT ROWID;

-- People's decisions on items. Rows are added only; `standing_decisions` says what holds.
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY, -- number, in their order
    item TEXT NOT NULL REFERENCES items (id), -- `items.id`
    act TEXT NOT NULL CHECK (act IN ('label', 'ignore', 'note')), -- `label`, `ignore` or `note`
    label TEXT, -- the label given, or null
    note TEXT NOT NULL, -- the note, or empty
    seed INTEGER NOT NULL, -- 1 if it made the item a seed item
    chosen TEXT NOT NULL,
    -- how the item came before the person: `random`, another query strategy, `search`; empty in a run
    fit INTEGER REFERENCES fits (id), -- `fits.id` of the verdict that the person saw, or null
    verdict TEXT, -- that verdict's label
    confidence REAL, -- that verdict's confidence
    known TEXT, -- the label that the item came with, or null
    who TEXT NOT NULL, -- the person's name
    adjudicates INTEGER NOT NULL, -- 1 if it settles what people disagree on
    made_at TEXT NOT NULL, -- UTC, ISO 8601
    undone_at TEXT -- when it was taken back, or null
);

CREATE INDEX decisions_by_item ON decisions (item, id);

-- Items that the rounds selected.
CREATE TABLE selections (
    run TEXT NOT NULL, -- `runs.name`
    round INTEGER NOT NULL, -- `rounds.round`
    item TEXT NOT NULL REFERENCES items (id), -- `items.id`
    rank INTEGER NOT NULL, -- 0 was picked first
    score REAL NOT NULL, -- the query strategy's score
    opinion TEXT, -- what the previous round's classifier predicted, before it was trained on the item
    PRIMARY KEY (run, item),
    FOREIGN KEY (run, round) REFERENCES rounds (run, round)
) WITHOUT ROWID;

-- What the classifiers of runs with a stopping criterion say of the stop set.
CREATE TABLE opinions (
    run TEXT NOT NULL, -- `runs.name`
    round INTEGER NOT NULL, -- `rounds.round`
    item TEXT NOT NULL REFERENCES items (id), -- `items.id`
    probabilities TEXT NOT NULL, -- JSON array in the label set's order
    PRIMARY KEY (run, round, item),
    FOREIGN KEY (run, round) REFERENCES rounds (run, round)
) WITHOUT ROWID;

-- Texts that LLMs wrote (`mollia generate`); never in a split.
CREATE TABLE synthetic (
    position INTEGER PRIMARY KEY, -- order of writing
    id TEXT NOT NULL UNIQUE, -- 16 digits of the text's SHA-256
    text TEXT NOT NULL, -- the text
    text_digest TEXT NOT NULL UNIQUE, -- SHA-256 of the text
    label TEXT NOT NULL, -- the label that was asked for
    writer TEXT NOT NULL, -- the LLM's name
    recipe TEXT NOT NULL, -- JSON: everything that the text depends on
    created_at TEXT NOT NULL -- UTC, ISO 8601
);

-- What was written when, as a chain of digests (`mollia verify`): one entry for each batch. Only added to.
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, -- 1, 2, ...
    at TEXT NOT NULL, -- UTC, ISO 8601
    verb TEXT NOT NULL, -- what mollia did: `import`, `annotate`, `decide`, ...
    what TEXT NOT NULL, -- the tables, with commas
    count INTEGER NOT NULL, -- rows that were added, changed or removed
    digest TEXT NOT NULL, -- SHA-256 over the rows' digests, before and after
    previous TEXT NOT NULL, -- the previous entry's `hash`; empty in the first
    hash TEXT NOT NULL UNIQUE, -- SHA-256 over the columns above
    rows BLOB NOT NULL
    -- zlib: JSON array of [table, key, digest before, digest after]; the keys of forgotten rows are []
);

CREATE TRIGGER journal_entries_stay BEFORE DELETE ON journal
BEGIN SELECT raise(ABORT, 'the journal is only added to'); END;

CREATE TRIGGER journal_entries_do_not_change
BEFORE UPDATE OF seq, at, verb, what, count, digest, previous, hash ON journal
BEGIN SELECT raise(ABORT, 'the journal is only added to'); END;

-- Blanking the keys of what was forgotten, in the transaction that has entered the forgetting.
CREATE TRIGGER journal_rows_change_only_when_forgetting BEFORE UPDATE OF rows ON journal
WHEN (SELECT verb FROM journal ORDER BY seq DESC LIMIT 1) <> 'forget'
BEGIN SELECT raise(ABORT, 'the journal is only added to'); END;
