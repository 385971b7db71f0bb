"""The page of a run: a template, its style and its program, and what puts a report into them."""
