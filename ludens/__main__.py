"""`python -m ludens` is the command `ludens`."""

from __future__ import annotations

import sys

from ludens.cli import main

if __name__ == "__main__":
    sys.exit(main())
