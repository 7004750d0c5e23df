# SPDX-License-Identifier: Apache-2.0
"""The explicit label, which people see or hear: `draw` puts it on, `confirm` and `find` look for it. GB 45438-2025,
clause 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from labelkit.codec.samples import AudioSamples, ImageSamples, Samples, VideoSamples
from labelkit.errors import UnsupportedFormat
from labelkit.explicit import audio, image, soundtrack, video
from labelkit.explicit.finding import find as find_in_picture
from labelkit.explicit.rules import check_text
from labelkit.plan import Explicit
from labelkit.report import Finding

__all__ = ["check_text", "confirm", "draw", "find"]


def draw(samples: Samples, explicit: Explicit) -> tuple[Samples, dict[str, object]]:
    """`samples` with the label, and the evidence of it as JSON values; in a film at the times of `explicit.showing`.

    Raises what `image.draw` and `video.draw` raise.
    """
    if isinstance(samples, ImageSamples):
        return image.draw_frames(samples, explicit)
    if isinstance(samples, AudioSamples):
        return audio.draw(samples, explicit)
    if isinstance(samples, VideoSamples):
        return video.draw(samples, explicit)
    raise UnsupportedFormat("an explicit label for {kind} cannot be made", kind=type(samples).__name__)


def confirm(decoded: Callable[[], Samples], explicit: Explicit | None, drawn: Mapping[str, object] | None) -> None:
    """Raise OutputFailed where a spoken label, or one in the sound of a film, of evidence `drawn` is not heard in the
    labelled file; no other kind of label is looked for, and nothing is decoded for it."""
    if explicit and drawn and drawn.get("sound") in ("speech", "both"):
        audio.confirm(decoded(), explicit, drawn)
    elif explicit and drawn and drawn.get("soundtrack"):
        soundtrack.confirm(decoded(), explicit, drawn["soundtrack"])


def find(samples: Samples, expected_text: str | None = None, *, read_text: bool = False) -> Finding:
    """What the samples show of an explicit label.

    expected_text   a text that another layer names
    read_text       read text in any font too, as `finding.find` does; of sound nothing is read
    """
    if isinstance(samples, ImageSamples):
        return find_in_picture(samples, expected_text, read_text=read_text)
    if isinstance(samples, AudioSamples):
        return audio.find(samples)
    if isinstance(samples, VideoSamples):
        return video.find(samples, expected_text, read_text=read_text)
    raise UnsupportedFormat("an explicit label in {kind} cannot be looked for", kind=type(samples).__name__)
