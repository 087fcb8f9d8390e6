"""``python -m mollia_cli`` is ``mollia``."""

from mollia_cli.cli.main import main

if __name__ == "__main__":
    main()
