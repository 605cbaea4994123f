"""`python -m recs.cli`."""

import sys

from recs.cli.main import main

sys.exit(main())
