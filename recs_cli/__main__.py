"""`python -m recs_cli`, the same as `recs`."""

import sys

from recs_cli.main import main

sys.exit(main())
