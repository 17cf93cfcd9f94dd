"""`lrcn report` from a checkout."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lrcn import cli  # noqa: E402 - the checkout's package comes first

if __name__ == "__main__":
    sys.exit(cli.main(["report", *sys.argv[1:]]))
