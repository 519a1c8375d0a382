"""`python -m mgail_dyna`: the same as the command `mgail-dyna`."""

import sys

from mgail_dyna.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
