# SPDX-License-Identifier: Apache-2.0
"""The exceptions of labelkit. Every error it raises on purpose is a `LabelkitError`.

    LabelkitError            base of all
      InvalidArgument        an argument has the wrong type, shape, range or combination
      InvalidLabel           a label breaks a clause of GB 45438-2025
      UnsupportedFormat      the file format cannot hold what was asked for, or cannot be decoded
      MalformedFile          the file violates its own format
        TruncatedFile        ... because it ends too early
      LimitExceeded          the file needs more memory or time than the documented bound
        NoProcess            ... or the machine could start no process for it
      HostTooSmall           the host cannot carry the payload or the text
      MissingGlyph           the font has no glyph for a character of the text
      SigningFailed          the manifest could not be made or signed
      OutputFailed           the result could not be written, or does not read back as written
      NotLabelled            a required label is absent or invalid (`Report.require`)

`SlowKernels` is a warning, and says once that the compiled kernels are missing; `ManifestLeft` is one, and
names an old manifest that stays beside a new file; `WatermarkLeftOut` is one, and says of a file that it was labelled
without a watermark.
"""

from __future__ import annotations

from typing import TypeVar

from labelkit.messages import Message

T = TypeVar("T")
Error = TypeVar("Error", bound="LabelkitError")


class LabelkitError(Exception):
    """Base of all errors: an English template and its facts, saying what was expected, what was found and where.

    `str(error)` is the English message, `error.text("zh-CN")` the Chinese one.
    `error.hint` says what to try next, or is None.
    """

    def __init__(self, template: str, *, hint: str | None = None, **facts: object) -> None:
        self.message = Message(template, **facts)
        self.hint = Message(hint, **facts) if hint else None
        super().__init__(str(self.message))

    def text(self, language: str = "en") -> str:
        """The message in `language`, "en" or "zh-CN"."""
        return self.message.text(language)

    def __reduce__(self) -> tuple[object, ...]:
        hint = self.hint.template if self.hint else None
        return _rebuild, (type(self), self.message.template, hint, dict(self.message.facts))


class LabelkitWarning(UserWarning):
    """Base of all warnings; `text("zh-CN")` says it in Chinese."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))

    def text(self, language: str = "en") -> str:
        """The message in `language`, "en" or "zh-CN"."""
        return self.message.text(language)


class SlowKernels(LabelkitWarning):
    """NumPy does the work of the compiled kernels, which are missing."""


class ManifestLeft(LabelkitWarning):
    """A manifest of the file that a labelled one replaces still lies beside it."""


class WatermarkLeftOut(LabelkitWarning):
    """A plan does not require its watermark, and what was labelled cannot carry it."""


def _rebuild(kind: type[Error], template: str, hint: str | None, facts: dict[str, object]) -> Error:
    return kind(template, hint=hint, **facts)


def checked(value: object, wanted: type[T], name: str) -> T:
    """The value, known to be of the wanted type; raises InvalidArgument for another."""
    check_types(**{name: (value, wanted)})
    assert isinstance(value, wanted)
    return value


def check_types(**arguments: tuple[object, type]) -> None:
    """Check arguments given as name=(value, type); raise InvalidArgument for the first of another type."""
    for name, (value, wanted) in arguments.items():
        if not isinstance(value, wanted):
            raise InvalidArgument("{name} must be a {wanted}, got {got}", name=name, wanted=wanted.__name__,
                                  got=type(value).__name__)


class InvalidArgument(LabelkitError):
    """An argument has the wrong type, shape, range or combination."""


class InvalidLabel(LabelkitError):
    """A label breaks a clause of GB 45438-2025; the message names the clause."""


class UnsupportedFormat(LabelkitError):
    """The file format cannot hold what was asked for, or cannot be decoded."""


class MalformedFile(LabelkitError):
    """The file violates its own format."""


class TruncatedFile(MalformedFile):
    """The file ends before the data that it announces."""


class LimitExceeded(LabelkitError):
    """The file needs more memory or time than the documented bound."""


class NoProcess(LimitExceeded):
    """The machine could start no process to work on a file in, whatever the file."""


class HostTooSmall(LabelkitError):
    """The host cannot carry the payload or the text."""


class MissingGlyph(LabelkitError):
    """The font has no glyph for a character of the text."""


class SigningFailed(LabelkitError):
    """The manifest could not be made or signed."""


class OutputFailed(LabelkitError):
    """The result could not be written, or does not read back as written."""


class FetchFailed(LabelkitError):
    """Another service, which the caller named, gave no answer or a wrong one."""


class NotLabelled(LabelkitError):
    """A required label is absent or invalid."""


def cannot_open(where: object, error: OSError | ValueError) -> InvalidArgument:
    """The error to raise when the operating system refuses to open a source; ValueError is of a wrong name."""
    reason = ((error.strerror or Message("the system refused")) if isinstance(error, OSError) else
              Message("it is not a file name"))
    return InvalidArgument("{where} cannot be opened: {reason}", where=str(where), reason=reason)


def cannot_write(where: object, error: OSError) -> OutputFailed:
    """The error to raise when the operating system refuses to write a target."""
    return OutputFailed("{where} cannot be written: {reason}", where=str(where),
                        reason=error.strerror or Message("the system refused"))
