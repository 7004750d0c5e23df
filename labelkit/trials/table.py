# SPDX-License-Identifier: Apache-2.0
"""What a trial is, and what the EU Code of Practice (final text of June 2026, measure 3.3) lists by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.messages import Message

Picture: TypeAlias = npt.NDArray[np.uint8]
"""[height, width, 3] RGB."""
Wave: TypeAlias = npt.NDArray[np.float32]
"""[frames, channels], full scale +-1."""
Random: TypeAlias = np.random.Generator
PictureChange: TypeAlias = Callable[[Picture, Random], Picture]
WaveChange: TypeAlias = Callable[[Wave, int, Random], Wave]
"""Of samples, their rate in Hz and a source of chance."""


class Group(Enum):
    """A transformation or an attack that measure 3.3 lists; `UNCHANGED` is the comparison."""

    UNCHANGED = "unchanged"
    NOISE = "noise"
    FILTERS = "filters"
    RECOMPRESSION = "recompression"
    SCREENSHOT = "screenshot"
    VOICE = "voice enhancement"
    MIRROR = "mirror"
    CROP = "crop"
    SCALE = "scale"
    ROTATION = "rotation"
    ASPECT = "aspect"
    PITCH = "pitch"
    STRETCH = "time stretch"
    PRINT = "print and scan"
    PLAY = "play and record"
    CAMCORDING = "camcording"
    FACES = "blurred faces"
    REMOVAL = "removal"
    REGENERATION = "regeneration"
    CHANGE = "change"
    COPY = "copy"

    @property
    def is_attack(self) -> bool:
        """Whether somebody means harm, and not everyday use."""
        return self in (Group.REMOVAL, Group.REGENERATION, Group.CHANGE, Group.COPY)


GROUP_NAMES = {
    Group.UNCHANGED: Message("unchanged"), Group.NOISE: Message("noise"), Group.FILTERS: Message("filters and colour"),
    Group.RECOMPRESSION: Message("recompression"), Group.SCREENSHOT: Message("screenshot"),
    Group.VOICE: Message("voice enhancement"), Group.MIRROR: Message("mirror"), Group.CROP: Message("crop"),
    Group.SCALE: Message("scale"), Group.ROTATION: Message("rotation"), Group.ASPECT: Message("aspect"),
    Group.PITCH: Message("pitch"), Group.STRETCH: Message("time stretch"), Group.PRINT: Message("print and scan"),
    Group.PLAY: Message("play and record"), Group.CAMCORDING: Message("camcording of a screen"),
    Group.FACES: Message("blurred faces"), Group.REMOVAL: Message("removal"),
    Group.REGENERATION: Message("regeneration"), Group.CHANGE: Message("change of the mark"),
    Group.COPY: Message("copy of the mark")}


class Trial(Protocol):
    """What every trial says of itself; `is_simulated` where it stands in for a process outside the machine."""

    @property
    def name(self) -> str:
        """Unique among the trials of a kind of media."""

    @property
    def group(self) -> Group:
        """What measure 3.3 calls it."""

    @property
    def says(self) -> Message:
        """What is done, for people."""

    @property
    def is_simulated(self) -> bool:
        """Whether paper, a camera, a loudspeaker or a network is only imitated."""


@dataclass(frozen=True, slots=True)
class PictureTrial:
    """What happens to a picture, and to each frame of a film alike."""

    name: str
    group: Group
    says: Message
    change: PictureChange
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class WaveTrial:
    """What happens to sound."""

    name: str
    group: Group
    says: Message
    change: WaveChange
    is_simulated: bool = False
    needs_pyav: bool = False
