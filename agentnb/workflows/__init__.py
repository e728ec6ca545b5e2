"""Workflows: one definition, from YAML, JSON or Python, and the two executors that run it."""
