"""Agents and local models behind OpenAI's protocol, so that any client of it can use them."""
