# SPDX-License-Identifier: Apache-2.0
"""ID3 tags before the frames of a stream, of MP3 and of AAC."""

from __future__ import annotations

from labelkit.codec.live import MAX_HEAD
from labelkit.container import Reader, id3
from labelkit.errors import MalformedFile, TruncatedFile


def end_of_tags(data: bytes) -> int | None:
    """Where the ID3 tags at the start of a stream end, 0 without any, None while they are not whole.

    Raises MalformedFile for tags of more than MAX_HEAD bytes, or with a manifest in them.
    """
    if len(data) < 10 and b"ID3".startswith(data[:3]):
        return None
    try:
        end = id3.end_of_tags(Reader.of(data, "stream"))
    except TruncatedFile as error:
        if len(data) >= MAX_HEAD:
            raise MalformedFile("sound whose tags are no head of a stream") from error
        return None
    if b"c2pa" in data[:end]:  # what a manifest signs is no stream
        raise MalformedFile("sound whose tags are no head of a stream")
    return end if data[end:end + 3] != b"ID3"[:len(data) - end] or len(data) == end else None
