"""Graphs of workflows and of their runs: where boxes and lines stand, what a run has come to, what a step's sheet says."""
