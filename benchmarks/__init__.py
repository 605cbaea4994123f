"""Scripts that measure; each prints both sides and their ratio from one run."""
