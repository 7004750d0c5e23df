# SPDX-License-Identifier: Apache-2.0
"""A user's program: each way to call embed and verify, and the type that a checker must see. Never run."""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import BinaryIO, assert_type

import numpy as np
import numpy.typing as npt
from PIL import Image

import labelkit as lk
from labelkit.log import LabelLog, Waiver

Picture = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


def files(label: lk.Label, file: BinaryIO) -> None:
    assert_type(lk.embed("cat.png", "out.png", label), Path)
    assert_type(lk.embed(Path("cat.png"), Path("out.png"), label=label), Path)
    assert_type(lk.embed(b"bytes", "out.png", label), Path)
    assert_type(lk.embed(memoryview(b"bytes"), "out.png", label), Path)
    assert_type(lk.embed(file, "out.png", label), Path)
    assert_type(lk.embed("cat.png", "cat.png", label, in_place=True), Path)
    assert_type(lk.embed("cat.png", label=label), bytes)
    assert_type(lk.embed(Path("cat.png"), None, label), bytes)
    assert_type(lk.embed(b"bytes", label=label), bytes)
    assert_type(lk.embed(file, label=label), bytes)
    assert_type(lk.embed("cat.png", file, label), None)
    assert_type(lk.embed(b"bytes", io.BytesIO(), label), None)


def files_with_settings(label: lk.Label, log: LabelLog, now: datetime.datetime) -> None:
    plan = lk.Plan(explicit=None, watermark=lk.Watermark(max_strength=2.0))
    assert_type(lk.embed("cat.png", "out.png", label, plan=plan, key=lk.Key.load("watermark.key")), Path)
    assert_type(lk.embed("film.mp4", "out.mp4", label, check=False, on_progress=lambda progress: None), Path)
    assert_type(lk.embed("cat.png", "out.png", label, audit=lk.Audit(log=log, now=now)), Path)
    waived = lk.Audit(log=log, now=now, waiver=Waiver("user-77", "2026-03"))
    assert_type(lk.embed("cat.png", label=label, plan=plan, audit=waived, replace=True), bytes)


def target_known_later(label: lk.Label, target: str | None) -> None:
    assert_type(lk.embed("cat.png", target, label), Path | bytes)


def pictures(label: lk.Label, picture: Picture, file: BinaryIO) -> None:
    marked: np.ndarray = lk.embed(picture, label=label)
    assert_type(marked.ndim, int)
    assert_type(lk.embed(picture, label=label, format="png"), bytes)
    assert_type(lk.embed(picture, None, label, format="png"), bytes)
    assert_type(lk.embed(picture, "cat.webp", label), Path)
    assert_type(lk.embed(picture, Path("cat"), label, format="webp"), Path)
    assert_type(lk.embed(picture, file, label, format="png"), None)


def sound(label: lk.Label, speech: Sound, file: BinaryIO) -> None:
    marked: np.ndarray = lk.embed(speech, label=label, rate=24_000)
    assert_type(marked.ndim, int)
    assert_type(lk.embed(speech, label=label, rate=24_000, format="mp3"), bytes)
    assert_type(lk.embed(speech, "speech.flac", label, rate=24_000), Path)
    assert_type(lk.embed(speech, file, label, rate=24_000, format="wav"), None)


def pillow(label: lk.Label, image: Image.Image, file: BinaryIO) -> None:
    assert_type(lk.embed(image, label=label), Image.Image)
    assert_type(lk.embed(image, None, label), Image.Image)
    assert_type(lk.embed(image, label=label, format="avif"), bytes)
    assert_type(lk.embed(image, "cat.avif", label), Path)
    assert_type(lk.embed(image, file, label, format="jpeg"), None)


class OthersTensor:
    """As torch types its own."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __dlpack__(self, *, stream: int | None = -1, max_version: tuple[int, int] | None = None) -> object: ...


def tensors(label: lk.Label, tensor: OthersTensor) -> None:
    assert_type(lk.embed(tensor, label=label), OthersTensor)
    assert_type(lk.embed(tensor, label=label, format="png"), bytes)
    assert_type(lk.embed(tensor, "cat.webp", label), Path)
    assert_type(lk.verify(tensor), lk.Report)
    print(*lk.embed_many(tensor, [label], format="png"), *lk.verify_many([tensor, tensor]))


def verification(picture: Picture, speech: Sound, image: Image.Image, file: BinaryIO) -> None:
    assert_type(lk.verify("cat.png"), lk.Report)
    assert_type(lk.verify(Path("cat.png"), effort="deep", ocr=True), lk.Report)
    assert_type(lk.verify(b"bytes", layers=[lk.Layer.METADATA]), lk.Report)
    assert_type(lk.verify(file, key=lk.Key.load("watermark.key"), trust=lk.TrustList.load("anchors.pem")), lk.Report)
    assert_type(lk.verify(picture), lk.Report)
    assert_type(lk.verify(speech, rate=24_000), lk.Report)
    assert_type(lk.verify(image), lk.Report)


def report() -> None:
    found = lk.verify("cat.png")
    assert_type(found.verdict, lk.Verdict)
    for finding in found:
        assert_type(finding, lk.Finding)
        assert_type(finding.layer, lk.Layer)
        assert_type(finding.status, lk.Status)
    assert_type(found.require(lk.Layer.METADATA, lk.Layer.WATERMARK), None)
