"""The store's port in memory."""

from agentnb.adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
