"""What `recs.models.MetaLearner` is made of: towers, tasks of a batch, inner and outer steps."""
