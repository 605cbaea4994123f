"""The compiled op: a table from ids to rows, its builder, and a reference in NumPy."""
