"""Entry point of ``python -m sklearn_neurox``."""

import sys

from ._cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
