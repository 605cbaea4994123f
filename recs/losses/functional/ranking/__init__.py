"""Pure functions of lists of items: labels, scores and validity in, a value per list or item out.

Everywhere `labels`, `scores` and `valid` are `(batch, list)`, float32, float32 and bool. Invalid
items (padding) have label 0 and score 0, which `lists.as_lists` sees to, and take no part.
"""
