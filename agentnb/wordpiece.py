"""BERT's WordPiece tokenizers as OpenVINO models, by openvino_tokenizers and without transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentnb import telemetry


def tokenizer(described: Mapping[str, Any], longest: int) -> Any:
    """From texts to ``input_ids``, ``token_type_ids`` and ``attention_mask``, int64 ``[texts, tokens]``, padded to the longest of them.

    Args:
        described: What a ``tokenizer.json`` of that kind holds.
        longest: Tokens of a text, those that frame it included; what comes after them is cut off.
    """
    telemetry.mute()
    from openvino import Type
    from openvino_tokenizers import tokenizer_pipeline as parts
    from openvino_tokenizers.utils import change_outputs_type

    tokens = sorted(described["added_tokens"], key=lambda token: token["id"])
    pieces = parts.WordPieceTokenizationStep.from_hf_json(described)
    combine = parts.CombineSegmentsStep.from_hf_json_template_postprocessor(described["post_processor"])
    padding = (described.get("padding") or {}).get("pad_id", described["model"]["vocab"].get("[PAD]", 0))
    pipeline = parts.TokenizerPipeline(vocab=pieces.vocab)
    pipeline.add_steps(
        [
            parts.SpecialTokensSplit([parts.SpecialToken(token["content"], token["lstrip"], token["rstrip"]) for token in tokens]),
            *_normalisation(parts, described["normalizer"]),
            *parts.RegexSplitStep.bert_splitter(),
            pieces,
            parts.TruncationStep(longest - combine.number_of_added_tokens, truncation=True),
            combine,
            parts.PaddingStep(token="[PAD]", _token_id=int(padding), token_type_id=0),  # noqa: S106
        ]
    )
    model = pipeline.get_tokenizer_ov_subgraph()
    change_outputs_type(model, Type.i64)
    return model


def _normalisation(parts: Any, normalizer: Mapping[str, Any]) -> list[Any]:
    step = parts.RegexNormalizationStep
    steps = [step.del_control_chars_regex(), step.replace_whitespace_regex()] if normalizer["clean_text"] else []
    if normalizer["handle_chinese_chars"]:
        steps.append(step.handle_chinese_chars_regex())
    if normalizer["strip_accents"] or (normalizer["strip_accents"] is None and normalizer["lowercase"]):
        steps += [parts.NormalizeUnicode("NFD"), step.strip_accents_regex()]
    return [*steps, parts.CaseFoldStep()] if normalizer["lowercase"] else steps
