"""What the command lines share: bad use is told in one line."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage, and ends with status 2."""

    def error(self, message: str) -> NoReturn:
        """Tell the message and end."""
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(2)
