"""``papermill in.ipynb out.ipynb --engine agentnb``. papermill imports this module whenever it is imported: it loads nothing by itself."""

from __future__ import annotations

from typing import Any


class AgentNBEngine:
    """Executes a notebook as a run of the store: each cell an event, limits kept, and the status true also where the kernel dies."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """Execute a notebook that papermill has read and given its parameters; see ``agentnb.jobs.execution.execute``."""
        from agentnb.jobs import execution

        return execution.execute(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Name of the kernelspec: the one that is asked for, else the notebook's own."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Language of the notebook."""
        from papermill.utils import nb_language

        return str(nb_language(nb, language))
