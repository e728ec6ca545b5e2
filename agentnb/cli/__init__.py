"""``agentnb …``: everything that CI, cron and people at a shell need, with exit codes that tell the truth."""

from __future__ import annotations


def main() -> None:
    """Entry point of the command ``agentnb``."""
    from agentnb.cli.app import run

    run()
