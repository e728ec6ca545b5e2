"""The notebook surface: cells, magics, and what they show."""
