"""The project on disk: one SQLite file and one settings file. The only place with SQL."""
