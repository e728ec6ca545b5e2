"""A progress bar for long work, in a notebook and in a terminal."""

from __future__ import annotations

from agentnb.ports.model import ModelInfo
from agentnb.runtime.runtime import Runtime


def pull(runtime: Runtime, name: str) -> ModelInfo:
    """Fetch a model under a progress bar."""
    from tqdm.auto import tqdm

    with tqdm(total=0, unit="B", unit_scale=True, desc=name) as bar:

        def progress(what: str, done: int, total: int) -> None:
            bar.set_description(what)
            bar.total = total
            bar.update(done - bar.n)

        return runtime.models.pull(name, progress)
