"""The database schema, as an append-only list of named migrations."""

from sqlite_utils import Database, Migrations

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
def m006_decisions(db: Database) -> None:
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
