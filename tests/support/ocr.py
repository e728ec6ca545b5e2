"""Rendered lines of text with what is written on them, and how a PP-OCR recogniser's output is read: the real model of the gate's tests."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

HEIGHT = 48
WORDS = [
    "invoice",
    "total",
    "amount",
    "due",
    "customer",
    "order",
    "number",
    "ship",
    "date",
    "quantity",
    "price",
    "Berlin",
    "Madrid",
    "Osaka",
    "Quebec",
    "payment",
    "received",
    "balance",
    "account",
    "transfer",
    "reference",
    "printed",
    "signed",
    "page",
    "of",
    "the",
    "and",
    "for",
    "with",
    "without",
    "Ltd",
    "Inc",
    "GmbH",
    "north",
    "south",
    "east",
    "west",
]


def text(random_: random.Random) -> str:
    """Words, numbers and signs, as on an invoice."""
    parts = [
        random_.choice(
            (
                random_.choice(WORDS),
                random_.choice(WORDS).title(),
                str(random_.randrange(10**6)),
                f"{random_.random() * 1000:.2f}",
                f"{random_.choice('ABCXYZ')}-{random_.randrange(1000)}",
            )
        )
        for _ in range(random_.randint(2, 4))
    ]
    return " ".join(parts)


def line(random_: random.Random, width: int = 320) -> tuple[np.ndarray, str]:
    """One line, float32 ``[1, 3, 48, width]`` in -1 to 1, and its text: small, grey, blurred and noisy, so that some can't be read."""
    while True:
        written = text(random_)
        font = ImageFont.load_default(size=random_.randint(22, 32))
        left, top, right, bottom = font.getbbox(written)
        if right - left + 12 <= width:
            break
    image = Image.new("L", (int(right - left) + 12, HEIGHT), random_.randint(200, 255))
    ImageDraw.Draw(image).text((6 - left, (HEIGHT - bottom + top) / 2 - top), written, fill=random_.randint(0, 110), font=font)
    image = image.rotate(random_.uniform(-1.2, 1.2), fillcolor=230)
    image = image.filter(ImageFilter.GaussianBlur(random_.uniform(0, 1.5)))
    pixels = np.asarray(image, np.float32) + np.random.default_rng(random_.randrange(2**32)).normal(0, 8, (HEIGHT, image.width))
    full = np.zeros((1, 3, HEIGHT, width), np.float32)
    full[..., : image.width] = (pixels.clip(0, 255) / 127.5 - 1).astype(np.float32)
    return full, written


def lines(count: int, seed: int = 1) -> list[tuple[np.ndarray, str]]:
    """Lines that are the same for the same seed."""
    random_ = random.Random(seed)
    return [line(random_) for _ in range(count)]


@cache
def characters(model: Path) -> list[str]:
    """The recogniser's alphabet, which its ONNX file carries; the blank comes first."""
    import onnx

    found = {entry.key: entry.value for entry in onnx.load(str(model), load_external_data=False).metadata_props}
    return ["", *found["character"].split("\n"), " "]


def read(output: Any, alphabet: list[str]) -> str:
    """The text of one line's output, float32 ``[1, time, characters]``, by greedy CTC."""
    best = np.asarray(output)[0].argmax(-1)
    kept = [int(place) for before, place in zip([0, *best[:-1]], best, strict=True) if place and place != before]
    return "".join(alphabet[place] for place in kept if place < len(alphabet))
