"""WordPiece tokenizers from ``tokenizer.json`` as OpenVINO models, by openvino_tokenizers and without transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError, MissingExtra


def build(folder: Path) -> Any:
    """The tokenizer of a folder: strings ``[batch]`` in, int64 ``[batch, length]`` out, padded to the longest and cut off at the model's
    limit.

    Raises:
        ConfigurationError: ``tokenizer.json`` is missing, damaged, or of another kind than BERT's.
    """
    try:
        from openvino_tokenizers import tokenizer_pipeline as parts
        from openvino_tokenizers.utils import change_outputs_type
    except ImportError:
        raise MissingExtra("openvino-tokenizers") from None
    data, limit = _read(folder)
    tokens = sorted(data["added_tokens"], key=lambda token: token["id"])
    combine = parts.CombineSegmentsStep.from_hf_json_template_postprocessor(data["post_processor"])
    pipeline = parts.TokenizerPipeline()
    pipeline.add_steps(
        [
            parts.SpecialTokensSplit([parts.SpecialToken(token["content"], token["lstrip"], token["rstrip"]) for token in tokens]),
            *_normalisation(parts, data["normalizer"]),
            *parts.RegexSplitStep.bert_splitter(),
            parts.WordPieceTokenizationStep.from_hf_json(data),
            parts.TruncationStep(limit - combine.number_of_added_tokens, truncation=True),
            combine,
            parts.PaddingStep(token="[PAD]", _token_id=_padding(data), token_type_id=0),  # noqa: S106
        ]
    )
    pipeline.vocab = pipeline[-4].vocab
    model = pipeline.get_tokenizer_ov_subgraph()
    change_outputs_type(model, _int64())
    return model


def _int64() -> Any:
    from openvino import Type

    return Type.i64


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


def _padding(data: dict[str, Any]) -> int:
    return int((data.get("padding") or {}).get("pad_id", data["model"]["vocab"].get("[PAD]", 0)))


def _normalisation(parts: Any, normalizer: dict[str, Any]) -> list[Any]:
    step = parts.RegexNormalizationStep
    steps = [step.del_control_chars_regex(), step.replace_whitespace_regex()] if normalizer["clean_text"] else []
    if normalizer["handle_chinese_chars"]:
        steps.append(step.handle_chinese_chars_regex())
    if normalizer["strip_accents"] or (normalizer["strip_accents"] is None and normalizer["lowercase"]):
        steps += [parts.NormalizeUnicode("NFD"), step.strip_accents_regex()]
    return [*steps, parts.CaseFoldStep()] if normalizer["lowercase"] else steps
