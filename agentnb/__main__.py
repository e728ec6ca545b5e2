"""``python -m agentnb``: the command line, where its script isn't on the path."""

from agentnb.cli import main

if __name__ == "__main__":
    main()
