# SPDX-License-Identifier: Apache-2.0
"""Where to ask about a mark: what a file says so that anybody can find its detector (EU Code of Practice, 3.4 ii)."""

from __future__ import annotations

from dataclasses import dataclass

from labelkit.errors import InvalidArgument

MAX_URL = 256  # characters


def soft_binding(mime: str) -> str:
    """The name of the soft binding of labelkit's watermark in files of a media type."""
    return f"org.labelkit.watermark.{mime.partition('/')[0]}.1"


@dataclass(frozen=True, slots=True)
class Signpost:
    """Where to ask about the mark of a file. It is the statement of whoever wrote it, and nothing here visits it.

    detector  https: URL where anybody can have the mark looked for
    resolver  https: URL of a Soft Binding Resolution API that leads from the mark to its manifest, if there is one
    alg       name of the mark's soft binding, such as org.labelkit.watermark.image.1; None in a plan: it follows from
              the file, and is stated where there is a watermark
    Raises InvalidArgument.
    """

    detector: str
    resolver: str | None = None
    alg: str | None = None

    def __post_init__(self) -> None:
        for name in ("detector", "resolver"):
            value = getattr(self, name)
            if value is None and name == "resolver":
                continue
            if not (isinstance(value, str) and value.startswith("https://") and len(value) <= MAX_URL
                    and value.isascii() and value.isprintable() and not set(value) & set(' "<>')):
                raise InvalidArgument("{name} of a signpost is an https: URL of at most {limit} characters, got {got}",
                                      name=name, limit=MAX_URL, got=repr(value)[:80])
        if self.alg is not None and not (isinstance(self.alg, str) and 0 < len(self.alg) <= MAX_URL
                                         and self.alg.isascii() and self.alg.isprintable()):
            raise InvalidArgument("alg of a signpost is the name of a soft binding, got {got}", got=repr(self.alg)[:80])

    def facts(self) -> dict[str, str]:
        """What it states, by name."""
        stated = {"detector": self.detector, "resolver": self.resolver, "alg": self.alg}
        return {name: value for name, value in stated.items() if value is not None}

    @classmethod
    def found(cls, facts: dict[str, object]) -> Signpost | None:
        """What a file states; None where that makes no sense."""
        detector, resolver, alg = facts.get("detector"), facts.get("resolver"), facts.get("alg")
        try:
            return cls(detector, resolver, alg)  # type: ignore[arg-type]  # it checks them
        except InvalidArgument:
            return None
