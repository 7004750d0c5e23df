# SPDX-License-Identifier: Apache-2.0
"""Every message of labelkit has a Chinese translation with the same facts, in the file of its room."""

import string

import pytest

from labelkit.messages import Message
from tests import twins


def _facts(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def _known() -> dict[str, str]:
    return {template: twin for file in twins.catalogue().values() for template, twin in file.items()}


def test_every_template_has_a_chinese_twin():
    known = _known()
    missing = [f"{where[0]}: {template}" for template, where in twins.places().items() if template not in known]
    assert not missing, "\n".join(missing)


def test_twins_hold_the_same_facts():
    wrong = [english for english, chinese in _known().items()
             if "%" not in english and _facts(english) != _facts(chinese)]
    assert not wrong


def test_no_twin_is_without_its_english():
    """A twin whose English was reworded would never be shown."""
    said = twins.places()
    orphans = [english for english in _known() if english not in said]
    assert not orphans, "\n".join(orphans)


def test_each_twin_lies_in_the_file_of_its_room():
    there, belongs = twins.catalogue(), twins.arranged()
    misplaced = [f"{name}.json: {template}" for name, file in there.items() for template in file
                 if template not in belongs.get(name, {})]
    assert not misplaced, "sort them with python -m tests.twins:\n" + "\n".join(misplaced)
    assert sum(map(len, there.values())) == len(_known()), "a template is translated twice"


def test_what_several_rooms_say_belongs_to_the_core():
    assert twins.room(["cli/embed.py:3", "cli/verify.py:9"]) == "cli"
    assert twins.room(["watermark/image/tile.py:3"]) == "watermark"
    assert twins.room(["cli/embed.py:3", "codec/audio.py:9"]) == twins.room(["plan.py:2"]) == "core"


def test_scan_sees_what_it_must(tmp_path):
    """The negative twin: a template without a twin is found, in each of the four ways of saying something."""
    module = tmp_path / "x.py"
    module.write_text('raise InvalidArgument("one {a}", a=1, hint="two")\nMessage("three")\n_("four")\n')
    assert [template for template, _, _ in twins.templates(module)] == ["one {a}", "two", "three", "four"]
    assert [template for template, _, is_hint in twins.templates(module) if is_hint] == ["two"]


def test_no_twin_means_english():
    assert Message("no such template {x}", x=1).text("zh-CN") == "no such template 1"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_facts_may_be_messages(language):
    inner = Message("no manifest")
    assert inner.text(language) in Message("{reason}", reason=inner).text(language)
