# SPDX-License-Identifier: Apache-2.0
"""Watermarks to compare: labelkit's own, and those of packages that install with all they need (extra `peers`)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from labelkit.errors import LabelkitError
from labelkit.payload import Payload
from labelkit.watermark import image


class Refused(Exception):
    """The system does not take this picture."""


class System:
    """One watermark: `embed` a 64-bit word, `detect` it or None, `expected` is what a right answer looks like."""

    name: str

    def embed(self, rgb: np.ndarray, payload: int) -> np.ndarray:
        raise NotImplementedError

    def detect(self, rgb: np.ndarray) -> int | None:
        raise NotImplementedError

    def expected(self, payload: int) -> int:
        return payload


class Labelkit(System):
    def __init__(self, strength: float, effort: str, robustness: str) -> None:
        self.name = f"labelkit {robustness} {strength:g}"
        self.strength, self.effort, self.robustness = strength, effort, robustness

    def embed(self, rgb: np.ndarray, payload: int) -> np.ndarray:
        try:
            return image.embed(rgb, Payload.from_int(payload), strength=self.strength, robustness=self.robustness)
        except LabelkitError as error:
            raise Refused(str(error)) from error

    def detect(self, rgb: np.ndarray) -> int | None:
        found = image.detect(rgb, effort=self.effort)
        return int(found.payload) if found.payload else None


class InvisibleWatermark(System):
    """invisible-watermark: dwtDct, dwtDctSvd with 64 bits, rivaGan with 32. It has no answer for "no mark"."""

    LEAST_PIXELS = 256 * 256  # it raises RuntimeError for fewer

    def __init__(self, method: str) -> None:
        from imwatermark import WatermarkDecoder, WatermarkEncoder

        self.name, self.bits = method, 32 if method == "rivaGan" else 64
        if method == "rivaGan":
            WatermarkEncoder.loadModel()
            WatermarkDecoder.loadModel()
        self.encoder, self.decoder = WatermarkEncoder(), WatermarkDecoder("bits", self.bits)

    def expected(self, payload: int) -> int:
        return payload >> (64 - self.bits)

    def embed(self, rgb: np.ndarray, payload: int) -> np.ndarray:
        if rgb.shape[0] * rgb.shape[1] < self.LEAST_PIXELS:
            raise Refused("fewer than 256 x 256 pixels")
        self.encoder.set_watermark("bits", [int(bit) for bit in f"{self.expected(payload):0{self.bits}b}"])
        return self.encoder.encode(np.ascontiguousarray(rgb[..., ::-1]), self.name)[..., ::-1]

    def detect(self, rgb: np.ndarray) -> int | None:
        if rgb.shape[0] * rgb.shape[1] < self.LEAST_PIXELS:
            return None
        bits = self.decoder.decode(np.ascontiguousarray(rgb[..., ::-1]), self.name)
        return int("".join(str(int(bit)) for bit in bits), 2)


class BlindWatermark(System):
    """blind-watermark with 64 bits; it reads pictures of the original size only."""

    name = "blind-watermark"

    def __init__(self) -> None:
        import blind_watermark

        blind_watermark.bw_notes.close()
        self.make = lambda: blind_watermark.WaterMark(password_img=1, password_wm=1)

    def embed(self, rgb: np.ndarray, payload: int) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "host.png")
            Image.fromarray(rgb).save(path)
            marker = self.make()
            marker.read_img(path)
            marker.read_wm([bit == "1" for bit in f"{payload:064b}"], mode="bit")
            return np.clip(np.rint(marker.embed()), 0, 255).astype(np.uint8)[..., ::-1]

    def detect(self, rgb: np.ndarray) -> int | None:
        try:
            bits = self.make().extract(embed_img=np.ascontiguousarray(rgb[..., ::-1]), wm_shape=64, mode="bit")
        except Exception:  # it raises many kinds on pictures of another size
            return None
        return int("".join("1" if bit > 0.5 else "0" for bit in bits), 2)


def systems(names: list[str], strengths: list[float], effort: str, classes: list[str]) -> Iterator[System]:
    """The systems of these names; labelkit once for each class of robustness and each strength."""
    for name in names:
        if name == "labelkit":
            yield from (Labelkit(strength, effort, robustness) for robustness in classes for strength in strengths)
        elif name == "blind-watermark":
            yield BlindWatermark()
        else:
            yield InvisibleWatermark(name)
