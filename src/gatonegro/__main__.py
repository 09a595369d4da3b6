"""Run the command line: `python -m gatonegro` is the same as `gatonegro`."""

import sys

from gatonegro.cli import main

sys.exit(main())
