"""Agents and workflows in notebooks: define, run, watch, replay and put into production."""

__version__ = "0.1.0"
