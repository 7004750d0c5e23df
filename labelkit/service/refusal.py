# SPDX-License-Identifier: Apache-2.0
"""What is refused, and as which status of HTTP: by the service itself, or for an error of the library."""

from __future__ import annotations

import errno
import os

from labelkit import errors
from labelkit.errors import LabelkitError
from labelkit.messages import Message

_DISK = "{where} cannot be written: {reason}"  # of `errors.cannot_write`: the machine's fault, not the file's
_STATUSES: dict[type[LabelkitError], int] = {
    errors.NoProcess: 503, errors.InvalidArgument: 400, errors.InvalidLabel: 400, errors.UnsupportedFormat: 415,
    errors.LimitExceeded: 413, errors.MalformedFile: 422, errors.HostTooSmall: 422, errors.MissingGlyph: 422,
    errors.OutputFailed: 422, errors.FetchFailed: 502}


class Refused(Exception):
    """A request that is not done.

    status       of the response
    kind         a name for programs, in the JSON
    message      what is wrong and what would be right
    retry_after  seconds after which to ask again, None where that would not help
    """

    def __init__(self, status: int, kind: str, message: Message, retry_after: int | None = None) -> None:
        super().__init__(str(message))
        self.status, self.kind, self.message, self.retry_after = status, kind, message, retry_after


def status_of(error: LabelkitError) -> int:
    """The status for an error of the library; 500 for what is no fault of the request."""
    if isinstance(error, errors.OutputFailed) and error.message.template == _DISK:
        return 413 if error.message.facts.get("reason") == os.strerror(errno.EFBIG) else 500
    return next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500)
