# SPDX-License-Identifier: Apache-2.0
"""What labelkit tells people, in English and in Chinese.

The English template stands in the code where it is said; its Chinese twin stands in
`labelkit/locale/zh_CN/<room>.json`, keyed by the English. A test finds every template in
the code and fails when one has no twin.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

LANGUAGES = ("en", "zh-CN")


class Message:
    """An English template with named fields, and the facts that fill them."""

    __slots__ = ("template", "facts")

    def __init__(self, template: str, **facts: object) -> None:
        self.template = template
        self.facts: Mapping[str, object] = facts

    def text(self, language: str = "en") -> str:
        """The filled template in `language`; a template without a Chinese twin stays English."""
        template = self.template
        if language == "zh-CN":
            template = _catalogue().get(template, template)
        if not self.facts:
            return template
        facts = {k: v.text(language) if isinstance(v, Message) else v for k, v in self.facts.items()}
        return template.format(**facts)

    def __str__(self) -> str:
        return self.text("en")

    def __repr__(self) -> str:
        return f"Message({self.text('en')!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.template, self.facts) == (other.template, other.facts)

    def __hash__(self) -> int:
        return hash(self.text("en"))


@functools.cache
def _catalogue() -> dict[str, str]:
    merged: dict[str, str] = {}
    for path in sorted((Path(__file__).parent / "locale" / "zh_CN").glob("*.json")):
        merged.update(json.loads(path.read_text("utf-8")))
    return merged
