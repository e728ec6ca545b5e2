"""The example workflows that ``agentnb workflow new`` starts from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from agentnb.errors import UnknownName
from agentnb.names import did_you_mean

ENDING = ".workflow.yaml"
_DESCRIPTION = re.compile(r"^description: (.+)$", re.MULTILINE)
_NAME = re.compile(r"(?m)^name: .+$")
_PLAIN = re.compile(r"[A-Za-z][\w-]*(?: [A-Za-z][\w-]*)*")


@dataclass(frozen=True)
class Template:
    """An example workflow.

    Attributes:
        name: ``support``, ``etl`` …
        description: What it does, as its document says.
        parts: The texts of the documents by file name, the workflow's own first.
    """

    name: str
    description: str
    parts: Mapping[str, str]

    def documents(self, file: Path, name: str = "") -> dict[Path, str]:
        """The documents as they are written to files.

        Args:
            file: Where the workflow's own goes; the others go beside it, and their names follow its name.
            name: Name of the workflow; the template's own by default.
        """
        stem = stem_of(file)
        names = {part: file.name if part == self.name + ENDING else part.replace(self.name, stem, 1) for part in self.parts}
        found = {}
        for part, text in self.parts.items():
            for old, new in names.items():
                text = _replaced(text, rf'"{re.escape(old)}"', json.dumps(new, ensure_ascii=False))
                text = _replaced(text, rf"(?<![\w.\"]){re.escape(old)}", new)
            if name and part == self.name + ENDING:
                text = _replaced(text, _NAME.pattern, f"name: {name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)}")
            found[file.with_name(names[part])] = text
        return found


def stem_of(file: Path) -> str:
    """The file's name without what says that it is a workflow."""
    return file.name.removesuffix(ENDING) if file.name.endswith(ENDING) else file.stem


def templates() -> list[Template]:
    """All of them, by name."""
    texts = {
        item.name: item.read_text(encoding="utf-8") for item in files("agentnb.workflows.templates").iterdir() if item.name.endswith(ENDING)
    }
    names = sorted(name.removesuffix(ENDING) for name in texts if "." not in name.removesuffix(ENDING))
    return [_template(name, texts) for name in names]


def find(name: str) -> Template:
    """The template of that name.

    Raises:
        UnknownName: There is none.
    """
    known = {template.name: template for template in templates()}
    if name not in known:
        raise UnknownName(f"no template {name!r}. {did_you_mean(name, known)}")
    return known[name]


def _replaced(text: str, pattern: str, new: str) -> str:
    return re.sub(pattern, lambda _: new, text)


def _template(name: str, texts: Mapping[str, str]) -> Template:
    own = name + ENDING
    parts = {own: texts[own], **{part: text for part, text in sorted(texts.items()) if part.startswith(f"{name}.") and part != own}}
    match = _DESCRIPTION.search(texts[own])
    return Template(name, match[1] if match else "", parts)
