"""Boundaries: Protocols, and the frozen data that crosses them."""
