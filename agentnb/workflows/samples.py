"""The functions that the template workflows call: put your own in a module beside the workflow's file, and name them alike."""

from __future__ import annotations

import csv
import io
from typing import Any

from agentnb.agents.tools import tool

_NOTES = {
    "Late parcels": "A parcel that is late by more than ten days is sent again, or its price is paid back: the customer chooses.",
    "Paying back": "Money goes back to the card or account that it came from, within five working days.",
    "Changing an address": "The address of an order can be changed until it leaves the warehouse, under Orders in the account.",
    "Broken goods": "Broken goods are replaced; a picture helps, and nothing has to be sent back.",
}


@tool(effects="none")
def search_notes(query: str, limit: int = 2) -> list[dict[str, str]]:
    """The notes that share most words with a query.

    Args:
        query: What is looked for.
        limit: How many notes at most.
    """
    wanted = _words(query)
    found = [(len(wanted & _words(f"{title} {text}")), title, text) for title, text in _NOTES.items()]
    best = sorted((one for one in found if one[0]), key=lambda one: -one[0])[:limit]
    return [{"title": title, "text": text} for _, title, text in best]


@tool(effects="none")
def word_count(text: str) -> dict[str, int]:
    """How many words and characters a text has.

    Args:
        text: The text.
    """
    return {"words": len(text.split()), "characters": len(text)}


def standard_reply(ticket: str) -> str:
    """What a customer is told when no reply could be written."""
    return f"Thank you for your message of {len(ticket.split())} words. We will answer it within a day."


def totals(table: str, group: str, amount: str) -> dict[str, Any]:
    """Sums of a CSV table's column, by the values of another column."""
    sums: dict[str, float] = {}
    rows = list(csv.DictReader(io.StringIO(table)))
    for row in rows:
        sums[row[group]] = sums.get(row[group], 0.0) + float(row[amount])
    return {"rows": len(rows), "sums": sums}


def _words(text: str) -> set[str]:
    return {word.strip(".,:;!?\"'()").lower() for word in text.split() if len(word) > 3}
