"""What RUN may be."""

RUN_HELP = "a run's folder, or the folder of several, of which the newest is taken"
