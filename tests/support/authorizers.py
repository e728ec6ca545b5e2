"""Authorizers for the tests of permissions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from jupyter_server.auth import Authorizer


class ByRole(Authorizer):
    """Allows a reader what changes nothing, everybody else nothing; writes down what it was asked for."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        with Path(os.environ["ASKED"]).open("a") as file:
            file.write(f"{handler.request.method} {handler.request.path} {action} {resource}\n")
        return handler.request.headers.get("X-Role") == "reader" and action == "read"


class ByFile(Authorizer):
    """Allows all but the pairs of action and resource in ``forbidden.json`` of Jupyter's configuration, as they are at the moment."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        file = Path(os.environ["JUPYTER_CONFIG_DIR"], "forbidden.json")
        return [action, resource] not in (json.loads(file.read_text()) if file.exists() else [])
