# SPDX-License-Identifier: Apache-2.0
"""Marked sound that several modules attack."""

import numpy as np
import pytest

from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import audio
from tests import sounds

PAYLOAD = Payload.from_int(0x3123456789ABCDEF)
KEY = Key(b"sixteen bytes or more of secret")


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """12 s at 16 kHz, mono."""
    return audio.embed(sounds.speech(12), 16_000, PAYLOAD, KEY)


@pytest.fixture(scope="session")
def hard_speech() -> np.ndarray:
    """The same with all that a mark has."""
    return audio.embed(sounds.speech(12), 16_000, PAYLOAD, KEY, robustness="hard")


@pytest.fixture(scope="session")
def music() -> np.ndarray:
    """12 s at 44.1 kHz, stereo."""
    return audio.embed(sounds.music(12), 44_100, PAYLOAD, KEY)


@pytest.fixture(scope="session")
def hard_music() -> np.ndarray:
    """The same with all that a mark has."""
    return audio.embed(sounds.music(12), 44_100, PAYLOAD, KEY, robustness="hard")
