"""The database schema, as an append-only list of named migrations."""

from sqlite_utils import Database, Migrations

from mollia_cli.store.journal import Journal

migrations = Migrations("mollia")


@migrations()
def m001_items_and_observations(db: Database) -> None:
    db.executescript(
        """
        CREATE TABLE items (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            text TEXT NOT NULL,
            text_digest TEXT NOT NULL UNIQUE,
            split TEXT NOT NULL CHECK (split IN ('pool', 'seed', 'validation', 'test')),
            label TEXT,
            source TEXT NOT NULL,
            imported_at TEXT NOT NULL
        );
        CREATE INDEX items_by_split ON items (split, position);

        CREATE TABLE annotators (
            key TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            identity TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE observations (
            annotator TEXT NOT NULL REFERENCES annotators (key),
            item TEXT NOT NULL REFERENCES items (id),
            log_probs TEXT NOT NULL,
            votes TEXT NOT NULL,
            mass REAL NOT NULL,
            invalid REAL NOT NULL,
            slack REAL NOT NULL,
            answers TEXT NOT NULL,
            tokens INTEGER NOT NULL,
            truncated INTEGER NOT NULL,
            PRIMARY KEY (annotator, item)
        ) WITHOUT ROWID;
        """
    )


@migrations()
def m002_fits_and_verdicts(db: Database) -> None:
    db.executescript(
        """
        CREATE TABLE fits (
            id INTEGER PRIMARY KEY,
            digest TEXT NOT NULL UNIQUE,
            aggregator TEXT NOT NULL,
            panel TEXT NOT NULL,
            seed_items INTEGER NOT NULL,
            pool_items INTEGER NOT NULL,
            state TEXT NOT NULL,
            created_at TEXT NOT NULL
        );

        CREATE TABLE verdicts (
            fit INTEGER NOT NULL REFERENCES fits (id),
            item TEXT NOT NULL REFERENCES items (id),
            label TEXT NOT NULL,
            confidence REAL NOT NULL,
            probabilities TEXT NOT NULL,
            negatives TEXT NOT NULL,
            PRIMARY KEY (fit, item)
        ) WITHOUT ROWID;
        """
    )


@migrations()
def m003_runs_and_rounds(db: Database) -> None:
    db.executescript(
        """
        CREATE TABLE runs (
            name TEXT PRIMARY KEY,
            settings TEXT NOT NULL,
            created_at TEXT NOT NULL,
            used_at TEXT NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE rounds (
            run TEXT NOT NULL REFERENCES runs (name),
            round INTEGER NOT NULL,
            fit INTEGER REFERENCES fits (id),
            model TEXT,
            metrics TEXT,
            seconds TEXT NOT NULL DEFAULT '{}',
            started_at TEXT NOT NULL,
            finished_at TEXT,
            PRIMARY KEY (run, round)
        ) WITHOUT ROWID;

        CREATE TABLE selections (
            run TEXT NOT NULL,
            round INTEGER NOT NULL,
            item TEXT NOT NULL REFERENCES items (id),
            rank INTEGER NOT NULL,
            score REAL NOT NULL,
            opinion TEXT,
            PRIMARY KEY (run, item),
            FOREIGN KEY (run, round) REFERENCES rounds (run, round)
        ) WITHOUT ROWID;
        """
    )


@migrations()
def m004_calibration_conclusions_and_seconds(db: Database) -> None:
    db.executescript(
        """
        ALTER TABLE fits ADD COLUMN calibration TEXT NOT NULL DEFAULT 'null';
        -- counts conclusions: the fit that verdicts were made by last has the highest
        ALTER TABLE fits ADD COLUMN concluded INTEGER;
        UPDATE fits SET concluded = id WHERE id IN (SELECT fit FROM verdicts);
        ALTER TABLE observations ADD COLUMN seconds REAL;
        """
    )


@migrations()
def m005_stopping(db: Database) -> None:
    db.executescript(
        """
        -- why a run ended before its number of rounds
        ALTER TABLE runs ADD COLUMN stopped TEXT;

        -- what each round's classifier says of the stop set
        CREATE TABLE opinions (
            run TEXT NOT NULL,
            round INTEGER NOT NULL,
            item TEXT NOT NULL REFERENCES items (id),
            probabilities TEXT NOT NULL,
            PRIMARY KEY (run, round, item),
            FOREIGN KEY (run, round) REFERENCES rounds (run, round)
        ) WITHOUT ROWID;
        """
    )


@migrations()
def m006_synthetic(db: Database) -> None:
    db.executescript(
        """
        -- texts that LLMs wrote; kept apart from items, so that no split can hold one
        CREATE TABLE synthetic (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            text TEXT NOT NULL,
            text_digest TEXT NOT NULL UNIQUE,
            label TEXT NOT NULL,
            writer TEXT NOT NULL,
            recipe TEXT NOT NULL,
            created_at TEXT NOT NULL
        );
        """
    )


@migrations()
def m007_decisions(db: Database) -> None:
    db.executescript(
        """
        -- what people said of items; a row is never changed but for the mark that it was taken back
        CREATE TABLE decisions (
            id INTEGER PRIMARY KEY,
            item TEXT NOT NULL REFERENCES items (id),
            act TEXT NOT NULL CHECK (act IN ('label', 'ignore', 'note')),
            label TEXT,
            note TEXT NOT NULL,
            seed INTEGER NOT NULL,
            chosen TEXT NOT NULL,
            fit INTEGER REFERENCES fits (id),
            verdict TEXT,
            confidence REAL,
            known TEXT,
            who TEXT NOT NULL,
            made_at TEXT NOT NULL,
            undone_at TEXT
        );
        CREATE INDEX decisions_by_item ON decisions (item, id);

        -- the label, or the ignoring, that holds for an item
        CREATE VIEW standing_decisions AS
        SELECT * FROM decisions
        WHERE id IN (SELECT max(id) FROM decisions WHERE act <> 'note' AND undone_at IS NULL GROUP BY item);
        """
    )


@migrations()
def m008_label_sets_and_views(db: Database) -> None:
    db.executescript(
        """
        CREATE TABLE label_sets (
            digest TEXT NOT NULL,
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            description TEXT NOT NULL,
            PRIMARY KEY (digest, position)
        ) WITHOUT ROWID;

        CREATE VIEW annotator_answers AS
        SELECT
            o.item, i.text, i.split, a.name AS annotator, json_extract(a.identity, '$.annotator') AS kind,
            l.name AS label,
            json_extract(o.log_probs, '$[' || o.best || ']') AS log_prob,
            json_extract(o.votes, '$[' || o.best || ']') AS vote_share,
            o.mass, o.invalid, o.answers, i.label AS true_label, l.name = i.label AS is_right, o.tokens, o.seconds
        FROM (
            SELECT *, (SELECT key FROM json_each(log_probs) ORDER BY value DESC, key LIMIT 1) AS best
            FROM observations
        ) o
        JOIN annotators a ON a.key = o.annotator
        JOIN items i ON i.id = o.item
        LEFT JOIN label_sets l ON l.digest = json_extract(a.identity, '$.labels') AND l.position = o.best;

        CREATE VIEW annotator_costs AS
        SELECT
            a.name AS annotator, count(o.item) AS items, avg(o.mass) AS mass, avg(o.invalid) AS invalid,
            sum(o.tokens) AS tokens, sum(o.seconds) AS seconds, sum(o.truncated) AS truncated, a.created_at, a.key
        FROM annotators a LEFT JOIN observations o ON o.annotator = a.key
        GROUP BY a.key;

        CREATE VIEW current_verdicts AS
        SELECT
            v.item, i.text, v.label, v.confidence, v.negatives, f.aggregator, i.label AS true_label,
            v.label = i.label AS is_right
        FROM verdicts v
        JOIN fits f ON f.id = v.fit
        JOIN items i ON i.id = v.item
        WHERE f.concluded = (SELECT max(concluded) FROM fits);

        CREATE VIEW labelled_items AS
        SELECT
            i.id, i.text, i.label, 1.0 AS confidence, CASE WHEN d.id IS NULL THEN 'gold' ELSE 'human' END AS source,
            '[]' AS negatives
        FROM items i LEFT JOIN standing_decisions d ON d.item = i.id
        WHERE i.split = 'seed' AND i.label IS NOT NULL AND coalesce(d.act, 'label') = 'label'
        UNION ALL
        SELECT
            i.id, i.text, coalesce(d.label, v.label), CASE WHEN d.label IS NULL THEN v.confidence ELSE 1.0 END,
            CASE WHEN d.label IS NULL THEN v.aggregator ELSE 'human' END,
            CASE WHEN d.label IS NULL THEN v.negatives ELSE '[]' END
        FROM items i
        LEFT JOIN standing_decisions d ON d.item = i.id
        LEFT JOIN current_verdicts v ON v.item = i.id
        WHERE i.split = 'pool' AND coalesce(d.label, v.label) IS NOT NULL AND coalesce(d.act, 'label') = 'label';

        CREATE VIEW round_results AS
        SELECT
            r.run, r.round,
            json_extract(s.settings, '$.strategy') AS strategy,
            json_extract(s.settings, '$.annotator') AS annotator,
            json_extract(s.settings, '$.aggregator') AS aggregator,
            json_extract(r.metrics, '$.labelled') AS labelled,
            json_extract(r.metrics, '$.verdict_accuracy') AS verdict_accuracy,
            json_extract(r.metrics, '$.validation_f1') AS validation_f1,
            json_extract(r.metrics, '$.test_micro_f1') AS test_micro_f1,
            json_extract(r.metrics, '$.test_macro_f1') AS test_macro_f1,
            (SELECT sum(value) FROM json_each(r.seconds)) AS seconds,
            r.model, r.started_at, r.finished_at
        FROM rounds r JOIN runs s ON s.name = r.run;
        """
    )


@migrations()
def m010_variants(db: Database) -> None:
    db.executescript(
        """
        -- texts made from items for the aggregators that learn from them; kept apart, so that no split can hold one
        CREATE TABLE variants (
            id TEXT PRIMARY KEY,
            item TEXT NOT NULL REFERENCES items (id),
            kind TEXT NOT NULL CHECK (kind IN ('words', 'paraphrase')),
            number INTEGER NOT NULL,
            text TEXT NOT NULL,
            usable INTEGER NOT NULL,
            recipe TEXT NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (item, kind, number)
        ) WITHOUT ROWID;

        -- as the table observations, whose items are items
        CREATE TABLE variant_observations (
            annotator TEXT NOT NULL REFERENCES annotators (key),
            item TEXT NOT NULL REFERENCES variants (id),
            log_probs TEXT NOT NULL,
            votes TEXT NOT NULL,
            mass REAL NOT NULL,
            invalid REAL NOT NULL,
            slack REAL NOT NULL,
            answers TEXT NOT NULL,
            tokens INTEGER NOT NULL,
            truncated INTEGER NOT NULL,
            seconds REAL,
            PRIMARY KEY (annotator, item)
        ) WITHOUT ROWID;
        """
    )


@migrations()
def m011_journal_and_records(db: Database) -> None:
    statements = (
        # what was written when, as a chain of digests: see store/journal.py
        """
        CREATE TABLE journal (
            seq INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            verb TEXT NOT NULL,
            what TEXT NOT NULL,
            count INTEGER NOT NULL,
            digest TEXT NOT NULL,
            previous TEXT NOT NULL,
            hash TEXT NOT NULL UNIQUE,
            rows BLOB NOT NULL
        )
        """,
        """
        CREATE TRIGGER journal_entries_stay BEFORE DELETE ON journal
        BEGIN SELECT raise(ABORT, 'the journal is only added to'); END
        """,
        """
        CREATE TRIGGER journal_entries_do_not_change
        BEFORE UPDATE OF seq, at, verb, what, count, digest, previous, hash ON journal
        BEGIN SELECT raise(ABORT, 'the journal is only added to'); END
        """,
        # blanking the keys of what was forgotten, in the transaction that has entered the forgetting
        """
        CREATE TRIGGER journal_rows_change_only_when_forgetting BEFORE UPDATE OF rows ON journal
        WHEN (SELECT verb FROM journal ORDER BY seq DESC LIMIT 1) <> 'forget'
        BEGIN SELECT raise(ABORT, 'the journal is only added to'); END
        """,
        # what it takes to repeat a run; null where an older version opened it
        "ALTER TABLE runs ADD COLUMN record TEXT",
    )
    for statement in statements:
        db.execute(statement)
    Journal(db).adopt()


@migrations()
def m012_memory(db: Database) -> None:
    db.executescript(
        """
        ALTER TABLE observations ADD COLUMN memory INTEGER;
        ALTER TABLE variant_observations ADD COLUMN memory INTEGER;
        ALTER TABLE rounds ADD COLUMN memory INTEGER;

        DROP VIEW annotator_costs;
        CREATE VIEW annotator_costs AS
        SELECT
            a.name AS annotator, count(o.item) AS items, avg(o.mass) AS mass, avg(o.invalid) AS invalid,
            sum(o.tokens) AS tokens, sum(o.seconds) AS seconds, max(o.memory) AS memory, sum(o.truncated) AS truncated,
            a.created_at, a.key
        FROM annotators a LEFT JOIN observations o ON o.annotator = a.key
        GROUP BY a.key;

        DROP VIEW round_results;
        CREATE VIEW round_results AS
        SELECT
            r.run, r.round,
            json_extract(s.settings, '$.strategy') AS strategy,
            json_extract(s.settings, '$.annotator') AS annotator,
            json_extract(s.settings, '$.aggregator') AS aggregator,
            json_extract(r.metrics, '$.labelled') AS labelled,
            json_extract(r.metrics, '$.verdict_accuracy') AS verdict_accuracy,
            json_extract(r.metrics, '$.validation_f1') AS validation_f1,
            json_extract(r.metrics, '$.test_micro_f1') AS test_micro_f1,
            json_extract(r.metrics, '$.test_macro_f1') AS test_macro_f1,
            (SELECT sum(value) FROM json_each(r.seconds)) AS seconds,
            r.memory, r.model, r.started_at, r.finished_at
        FROM rounds r JOIN runs s ON s.name = r.run;
        """
    )
