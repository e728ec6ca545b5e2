"""The rules that a workflow document has to keep, one module for each thing that they look at."""
