"""`python -m gatonegro` is `gatonegro`."""

import sys

from gatonegro.cli import main

sys.exit(main())
