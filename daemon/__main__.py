"""`python -m daemon` is the command `ringmail`."""

import sys

from daemon.cli import main

sys.exit(main())
