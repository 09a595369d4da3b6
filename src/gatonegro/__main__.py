"""Entry point of `python -m gatonegro`, which runs the command line as `gatonegro` does."""

import sys

from gatonegro.cli import main

sys.exit(main())
