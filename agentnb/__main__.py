"""``python -m agentnb``: the command line."""

from agentnb.cli import main

main()
