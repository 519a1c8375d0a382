"""Command line of mgail_dyna: `python run.py --help`."""

import importlib.util
import sys

# That another Python of the same machine seldom has.
REQUIRED = ("tensorflow", "gymnasium", "tyro")

if __name__ == "__main__":
    if missing := [name for name in REQUIRED if importlib.util.find_spec(name) is None]:
        print(
            f"error: {sys.executable} has no package {missing[0]}; start with the Python that the packages were "
            "installed for, such as .venv/bin/python, or install them: see README.md",
            file=sys.stderr,
        )
        sys.exit(2)
    from mgail_dyna.cli.main import main

    sys.exit(main())
