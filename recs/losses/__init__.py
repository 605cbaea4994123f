"""Losses, one public class a file, over the pure functions of `recs.losses.functional`."""
