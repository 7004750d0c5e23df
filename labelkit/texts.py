# SPDX-License-Identifier: Apache-2.0
"""Texts in memory instead of a file: strings to what the layers work on, and the labelled text of a stream.

    labeller = labelkit.TextLabeller()
    for piece in model.stream(prompt):
        send(labeller(piece))
    send(labeller.close())
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from labelkit.codec import text as codec
from labelkit.codec.text import html, markdown, plain
from labelkit.container import Reader, of_name
from labelkit.errors import InvalidArgument, check_types
from labelkit.explicit.text import words_of
from labelkit.plan import Explicit

STREAMED = ("txt", "markdown", "html")
_ENDINGS = {"md": "markdown", "htm": "html", "text": "txt", "ndjson": "jsonl"}


def held(source: object, format: str | None) -> Reader | None:
    """A reader over a string that is a text in the format `format`; None for what is no string, and for a path.

    Raises InvalidArgument for another format than those of texts, and for a text that Unicode does not allow.
    """
    if not isinstance(source, str) or format is None:
        return None
    name = _format(format, codec.IN_MEMORY)
    try:
        reader = Reader.of(source.encode(), "text")
    except UnicodeEncodeError as error:
        raise InvalidArgument("the text holds half a surrogate pair at character {at}", at=error.start) from error
    reader.format = of_name(name)
    return reader


def _format(format: object, choices: tuple[str, ...]) -> str:
    name = _ENDINGS.get(str(format).lower(), str(format).lower())
    if name not in choices:
        raise InvalidArgument("a text is in one of the formats {formats}, got {got}", formats=", ".join(choices),
                              got=repr(format)[:80])
    return name


class TextLabeller:
    """Labels the text of a stream as it comes, piece in, labelled piece out: before the first, after the last, or both.

    explicit  its `text`, `style` and `place` are used: "start", "end" or "both"
    format    of the text: "txt", "markdown" or "html"
    The pieces themselves are never changed or held back. A stream without text gets no label. Metadata are for what
    stores the text. Raises InvalidArgument, InvalidLabel.
    """

    def __init__(self, explicit: Explicit | None = None, *, format: str = "txt") -> None:
        explicit = Explicit() if explicit is None else explicit
        check_types(explicit=(explicit, Explicit))
        self._format = _format(format, STREAMED)
        self._words = words_of(explicit)
        if any(one.place == "middle" for one in self._words):
            raise InvalidArgument("a stream has no middle that is known while it comes",
                                  hint="put the label at the start, the end or both")
        self._started = self._closed = False
        self._pieces: list[str] = []  # of Markdown, to know what is open at the end
        self._tail = ""

    def __call__(self, piece: str) -> str:
        """The piece, with the label before the first one that is not empty."""
        if self._closed or not isinstance(piece, str):
            raise InvalidArgument("a stream that is open and a piece of text are wanted, got {got}",
                                  got=type(piece).__name__)
        if not piece:
            return piece
        first, self._started = not self._started, True
        self._tail = (self._tail + piece)[-2:]
        if self._format == "markdown":
            self._pieces.append(piece)
        return self._shown("start") + piece if first else piece

    def close(self) -> str:
        """What comes after the last piece: the label where it belongs there, else nothing; nothing again after that."""
        if self._closed or not self._started:
            self._closed = True
            return ""
        self._closed = True
        return self._shown("end")

    def pieces(self, pieces: Iterable[str]) -> Iterator[str]:
        """Every piece labelled, as it comes, and the end."""
        for piece in pieces:
            yield self(piece)
        if last := self.close():
            yield last

    async def apieces(self, pieces: AsyncIterable[str]) -> AsyncIterator[str]:
        """`pieces` of a stream that is awaited."""
        async for piece in pieces:
            yield self(piece)
        if last := self.close():
            yield last

    def _shown(self, place: str) -> str:
        words = next((one for one in self._words if one.place == place), None)
        if words is None:
            return ""
        if self._format == "html":
            return html.paragraph(words)
        text = plain.shown(words, markdown=self._format == "markdown")
        if place == "start":
            return text + "\n\n"
        closing = self._closing()
        tail = closing or self._tail
        return closing + "\n" * (2 - len(tail[-2:]) + len(tail[-2:].rstrip("\n"))) + text + "\n"

    def _closing(self) -> str:
        """What closes a code block that the stream left open: a label in it would be taken for code."""
        if self._format != "markdown":
            return ""
        fence = markdown.open_fence("".join(self._pieces))
        return ("" if not fence or self._pieces[-1].endswith("\n") else "\n") + fence
