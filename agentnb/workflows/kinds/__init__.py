"""The kinds of steps: each runs one attempt at a step, and is found by the table ``agentnb.steps``."""
