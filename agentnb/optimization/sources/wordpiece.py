"""WordPiece tokenizers from the ``tokenizer.json`` of a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentnb import wordpiece
from agentnb.errors import ConfigurationError


def build(folder: Path) -> Any:
    """The tokenizer of a folder, which cuts texts off at the model's limit; see ``wordpiece.tokenizer``.

    Raises:
        ConfigurationError: ``tokenizer.json`` is missing, damaged, or of another kind than BERT's.
    """
    try:
        return wordpiece.tokenizer(*_read(folder))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{folder}: its tokenizer can't be made ({type(error).__name__}: {error}): fetch it again") from error


def _read(folder: Path) -> tuple[dict[str, Any], int]:
    file = folder / "tokenizer.json"
    try:
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kinds = (data["normalizer"]["type"], data["pre_tokenizer"]["type"], data["model"]["type"], data["post_processor"]["type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{file} can't be read ({error}): an encoder needs its tokenizer.json beside it") from None
    if kinds != ("BertNormalizer", "BertPreTokenizer", "WordPiece", "TemplateProcessing"):
        raise ConfigurationError(f"{file}: only BERT's WordPiece tokenizers can be read, this is {', '.join(kinds)}")
    limit = int(config["max_position_embeddings"])
    sentence = folder / "sentence_bert_config.json"
    if sentence.is_file():
        limit = min(limit, int(json.loads(sentence.read_text(encoding="utf-8"))["max_seq_length"]))
    return data, limit
