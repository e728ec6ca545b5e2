"""Puts the API into a Jupyter server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from traitlets import Int

from agentnb.errors import AgentNBError
from agentnb.server.handlers import handlers
from agentnb.server.routes import PREFIX, ROUTES
from agentnb.server.service import Service


class AgentNBExtension(ExtensionApp):
    """The extension ``agentnb``."""

    name = "agentnb"
    extension_url = f"/{PREFIX}/openapi.json"
    load_other_extensions = True
    max_processes = Int(8, min=1, config=True, help="How many processes of runs the server starts at a time; further runs wait in line.")

    def initialize_handlers(self) -> None:
        """Add the routes, under the server's base URL."""
        server: Any = self.serverapp
        self.service = Service(Path(server.root_dir), url_path_join(server.base_url, PREFIX), self.max_processes)
        self.handlers.extend(handlers(ROUTES, f"/{PREFIX}", self.service))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        try:
            await self.service.start()
        except AgentNBError as error:
            self.log.error("agentnb: %s", error)

    async def stop_extension(self) -> None:
        """Let clients go, and close the store."""
        self.service.close()
