# SPDX-License-Identifier: Apache-2.0
"""What is counted in a GIF before Pillow decodes it: frames and comments, of which many cost it much."""

from __future__ import annotations

from labelkit.container import Reader, gif
from labelkit.errors import LabelkitError, LimitExceeded

_MAX_COMMENTS = 1000  # Pillow joins all of them anew with each


def prepared(data: bytes, name: str, max_frames: int) -> bytes:
    """The GIF without its comments where they are very many; raises LimitExceeded above `max_frames` frames."""
    frames, comments, places = 0, 0, []
    try:
        for kind, label, start, end in gif.blocks(Reader.of(data)):
            frames += kind == gif.IMAGE
            if frames > max_frames:
                raise LimitExceeded("{where}: more than {limit} frames", where=name, limit=max_frames)
            if kind == gif.EXTENSION and label == gif.COMMENT:
                comments += 1
                places.append((start, end))
    except LimitExceeded:
        raise
    except LabelkitError:  # broken: what Pillow can make of it counts
        pass
    return _without(data, places) if comments > _MAX_COMMENTS else data


def check_comments(data: bytes) -> None:
    """Raise LimitExceeded for a GIF whose comments would be lost."""
    try:
        comments = sum(label == gif.COMMENT for _, label, _, _ in gif.blocks(Reader.of(data)))
    except LabelkitError:
        return
    if comments > _MAX_COMMENTS:
        raise LimitExceeded("a GIF of {comments} comments, at most {limit} are written again", comments=comments,
                            limit=_MAX_COMMENTS)


def _without(data: bytes, places: list[tuple[int, int]]) -> bytes:
    parts, done = [], 0
    for start, end in places:
        parts.append(data[done:start])
        done = end
    return b"".join((*parts, data[done:]))
