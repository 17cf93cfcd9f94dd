"""`python -m lrcn` is the command `lrcn`."""

import sys

from lrcn import cli

sys.exit(cli.main())
