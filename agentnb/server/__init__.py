"""The Jupyter Server extension: everything that agentnb does, as a REST API under ``agentnb/api/v1``; it imports no user code."""
