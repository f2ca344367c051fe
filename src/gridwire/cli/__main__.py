"""``python -m gridwire.cli``: the same as the command ``gridwire``."""

from __future__ import annotations

import sys

from gridwire.cli import main

if __name__ == "__main__":
    sys.exit(main())
