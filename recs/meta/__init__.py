"""Parts of `recs.models.MetaLearner`: towers, tasks of a batch, inner and outer steps."""
