"""`python -m recs.cli`, the same as `recs` but for TensorFlow's notices, which come first."""

import sys

from recs_cli.main import main

sys.exit(main())
