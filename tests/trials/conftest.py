# SPDX-License-Identifier: Apache-2.0
"""Media of each kind, small enough to be tried many times, and what an operator marks with."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest

from labelkit.key import Key
from labelkit.plan import Watermark
from labelkit.trials.media import Content, Film, Medium, Sound
from labelkit.trials.subject import Settings, Subject
from tests import sounds
from tests.media import photo


def medium(name: str, kind: str, content: Content) -> Medium:
    return Medium(name, kind, hashlib.sha256(name.encode()).hexdigest(), lambda: content)


def picture(name: str = "a.png", height: int = 320, width: int = 384) -> Medium:
    return medium(name, "image", photo(height, width))


def sound(name: str = "a.wav") -> Medium:
    samples = np.ascontiguousarray(sounds.speech(8).reshape(-1, 1), np.float32)
    return medium(name, "audio", Sound(samples, 16_000))


def film(name: str = "a.mkv") -> Medium:
    ground = photo(280, 420)
    frames = tuple(np.ascontiguousarray(ground[:240, index : index + 320]) for index in range(12))
    return medium(name, "video", Film(frames, Fraction(24)))


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings(Key(b"the key of the operator who tests"), Watermark(), "normal")


@pytest.fixture(scope="session")
def subjects(settings: Settings) -> dict[str, Subject]:
    return {one.kind: Subject(one, settings) for one in (picture(), sound(), film())}
