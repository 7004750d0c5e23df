# SPDX-License-Identifier: Apache-2.0
"""The libraries that decode and encode: PyAV opened alike in all its versions, and their failures as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, TruncatedFile, UnsupportedFormat
from labelkit.messages import Message

if TYPE_CHECKING:
    from av.container import InputContainer

PICTURE, SOUND = Message("picture"), Message("sound")


def pyav(name: str, format: str) -> ModuleType:
    """PyAV; raises UnsupportedFormat where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise UnsupportedFormat("{where}: {format} files have no samples that this installation can decode",
                                where=name, format=format, hint="install the extra labelkit[video], or label it with "
                                "--layers metadata,provenance") from error
    return av


def opened(file: BinaryIO, **settings: object) -> InputContainer:
    """A film or sound opened by PyAV for reading, whatever bytes stand in its texts: PyAV 19 keeps them unasked."""
    import av

    if int(av.__version__.split(".")[0]) < 19:
        settings["metadata_errors"] = "replace"
    return av.open(file, **settings)


@contextmanager
def translated(name: str, what: Message) -> Iterator[None]:
    """Whatever a library raises over bytes from outside becomes a LabelkitError; `what` is PICTURE or SOUND."""
    try:
        yield
    except LabelkitError:
        raise
    except MemoryError as error:
        raise LimitExceeded("{where}: the {what} needs more memory than there is", where=name, what=what) from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if "truncated" in reason.lower():
            raise TruncatedFile("{where}: the {what} ends too early: {reason}", where=name, what=what,
                                reason=reason) from error
        raise MalformedFile("{where}: the {what} cannot be decoded or encoded: {reason}", where=name, what=what,
                            reason=reason) from error
