# SPDX-License-Identifier: Apache-2.0
"""Everything labelkit raises. Catch `LabelkitError` and nothing else can reach you.

    LabelkitError            base of all
      InvalidArgument        an argument has the wrong type, shape, range or combination
      InvalidLabel           a label breaks a clause of GB 45438-2025
      UnsupportedFormat      the file is of a kind that cannot hold, or be decoded for, what was asked
      MalformedFile          the bytes break the rules of their own format
        TruncatedFile        ... because they end too early
      LimitExceeded          the file asks for more memory or time than the stated bound
      HostTooSmall           the host cannot carry the payload or the text
      MissingGlyph           the font has no shape for a character of the text
      SigningFailed          the manifest could not be made or signed
      OutputFailed           the result could not be written or read back
      NotLabelled            a required label is absent or invalid (`Report.require`)
"""

from __future__ import annotations

from labelkit.messages import Message


class LabelkitError(Exception):
    """Says what was wanted, what came and where: an English template and its facts.

    `str(error)` is English; `error.text("zh-CN")` is the same in Chinese.
    `error.hint` is the next thing to try, or None.
    """

    def __init__(self, template: str, *, hint: str | None = None, **facts: object) -> None:
        self.message = Message(template, **facts)
        self.hint = Message(hint, **facts) if hint else None
        super().__init__(str(self.message))

    def text(self, language: str = "en") -> str:
        """The message in `language`, "en" or "zh-CN"."""
        return self.message.text(language)

    def __reduce__(self):
        hint = self.hint.template if self.hint else None
        return _rebuild, (type(self), self.message.template, hint, dict(self.message.facts))


def _rebuild(kind: type, template: str, hint: str | None, facts: dict) -> LabelkitError:
    return kind(template, hint=hint, **facts)


def check_types(**arguments: tuple[object, type]) -> None:
    """Raise InvalidArgument for the first argument, given as name=(value, type), that is not of its type."""
    for name, (value, wanted) in arguments.items():
        if not isinstance(value, wanted):
            raise InvalidArgument("{name} must be a {wanted}, got {got}", name=name, wanted=wanted.__name__,
                                  got=type(value).__name__)


class InvalidArgument(LabelkitError):
    """An argument has the wrong type, shape, range or combination."""


class InvalidLabel(LabelkitError):
    """A label breaks a clause of GB 45438-2025; the message names the clause."""


class UnsupportedFormat(LabelkitError):
    """The file is of a kind that cannot hold, or be decoded for, what was asked."""


class MalformedFile(LabelkitError):
    """The bytes break the rules of their own format."""


class TruncatedFile(MalformedFile):
    """The bytes end before what they announce."""


class LimitExceeded(LabelkitError):
    """The file asks for more memory or time than the stated bound."""


class HostTooSmall(LabelkitError):
    """The host cannot carry the payload or the text that was asked for."""


class MissingGlyph(LabelkitError):
    """The font has no shape for a character of the text."""


class SigningFailed(LabelkitError):
    """The manifest could not be made or signed."""


class OutputFailed(LabelkitError):
    """The result could not be written, or reads back otherwise than it was written."""


class NotLabelled(LabelkitError):
    """A required label is absent or invalid."""


def cannot_write(where: object, error: OSError) -> OutputFailed:
    """The error to raise for a target that the system does not take."""
    return OutputFailed("{where} cannot be written: {reason}", where=str(where),
                        reason=error.strerror or Message("the system refused"))
