"""Command line of mgail_dyna: `python run.py --help`."""

import sys

from mgail_dyna.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
