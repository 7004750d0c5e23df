# SPDX-License-Identifier: Apache-2.0
"""Which texts are labels: forty by other hands, forty that only speak of AI, and as many in other languages."""

import pytest

from labelkit import codec
from labelkit.container import Reader
from labelkit.explicit import text
from labelkit.report import Status
from tests.explicit import texts_languages, texts_more
from tests.explicit.texts import LABELLED, MENTIONS


def found(words: str, name: str = "a.md") -> Status:
    return text.find(codec.decode(Reader.of(words.encode(), name))).status


def test_there_are_forty_of_each():
    assert len(set(LABELLED)) == len(set(MENTIONS)) == 40
    assert len(set(texts_languages.LABELLED)) == 45 and len(set(texts_languages.MENTIONS)) == 51


@pytest.mark.parametrize("name", ["a.md", "a.txt"])
@pytest.mark.parametrize("words", (*LABELLED, *texts_languages.LABELLED, *texts_more.LABELLED))
def test_labels_of_other_hands_are_found(words, name):
    assert found(words, name) is Status.VALID


@pytest.mark.parametrize("words", (*MENTIONS, *texts_languages.MENTIONS, *texts_more.MENTIONS))
def test_texts_about_ai_are_no_labels(words):
    assert found(words) is Status.ABSENT
    if not words.startswith("# "):  # in plain text no sign makes a heading
        assert found(words, "a.txt") is Status.ABSENT


@pytest.mark.parametrize("words", (*LABELLED, *texts_languages.LABELLED, *texts_more.LABELLED))
def test_a_label_in_a_code_block_is_an_example(words):
    assert found(f"How labels look:\n\n```\n{words}\n```\n\nThat was one.") is Status.ABSENT
