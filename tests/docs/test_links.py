# SPDX-License-Identifier: Apache-2.0
"""Pages say what they are about, link to what exists, and leave no option out."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

import labelkit
from docs.site import api, manual, parsers, reference, texts
from tests.docs.pages import DOCS, PAGES, ROOT

LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors that MyST and forges give to headings."""
    titles = re.findall(r"^#+ (.+)$", CODE.sub(lambda found: found[0].strip("`") if "\n" not in found[0] else "", text),
                        re.MULTILINE)
    return {"".join(c for c in unicodedata.normalize("NFKC", title).lower().replace(" ", "-")
                    if c.isalnum() or c in "-_") for title in titles}


def dead_links(page: Path, text: str) -> list[str]:
    """The links of a page that lead to no file, or to no heading of it."""
    dead = []
    for target in LINK.findall(CODE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or not path.is_relative_to(ROOT):
            dead.append(target)
        elif anchor and path.suffix == ".md" and anchor not in anchors(reference.filled(path.read_text("utf-8"))):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"],
                         ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page, page.read_text("utf-8")) == []


def test_the_negative_twin_dead_links_are_found() -> None:
    page = DOCS / "index.md"
    assert dead_links(page, "[a](no-page.md) [b](limits.md#no-heading) [c](../../outside.md)") == [
        "no-page.md", "limits.md#no-heading", "../../outside.md"]


def test_every_page_says_what_it_is_about() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        assert re.match(r"(---\n(.*\n)*?---\n\n)?# \S", text), page
        assert len(texts.description(text)) > 9, page


def test_pictures_exist_and_have_words_for_those_who_do_not_see_them() -> None:
    for page in PAGES:
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text("utf-8")):
            assert len(words) > 20 or page.is_relative_to(DOCS / "zh") and len(words) > 8, f"{page}: {target}"
            assert (page.parent / target).exists()


def test_lines_of_chinese_are_joined_without_a_blank() -> None:
    def joined(text: str) -> str:
        return texts.prepared(text, "zh/index")
    assert joined("前一行，\n后一行") == "前一行，后一行"
    assert joined("见[首页](a.md)\n和\n[帮助](b.md)，或\n  **注意**\n事项") == (
        "见[首页](a.md)和[帮助](b.md)，或**注意**事项")
    for apart in ("段落。\n\n段落", "- 一\n- 二", "word\nword", "```console\n一\n二\n```", "一\n`code`",
                  "**结论。**\n下一句", "见\n**“结论”**"):
        assert joined(apart) == apart
    assert texts.prepared("一\n二", "index") == "一\n二"


def unrendered(text: str) -> list[str]:
    """Bold text whose closing stars CommonMark does not take as such: behind a punctuation mark, before a letter."""
    pairs = re.finditer(r"\*\*([^*\n]+)\*\*(\w?)", CODE.sub("", text))
    return [pair[0] for pair in pairs if pair[2] and pair[1][-1] in "。，、：；！？）”"]


def test_bold_text_is_bold() -> None:
    assert [found for page in PAGES for found in unrendered(page.read_text("utf-8"))] == []
    assert unrendered("**结论。**下一句") and not unrendered("**结论**。下一句。**重点**。")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_no_option_is_undocumented(language: str) -> None:
    every = [row for command in (parsers.root(language), *parsers.commands(language))
             for _, rows in command.groups for row in rows]
    assert len(every) > 100 and [name for name, said in every if not said.strip()] == []


def test_the_pages_of_commands_hold_every_option() -> None:
    page, man = reference.filled((DOCS / "reference" / "cli.md").read_text("utf-8")), manual.page()
    for command in parsers.commands():
        assert f"## labelkit {command.name}\n" in page and f".SS {command.name}\n" in man
        for _, rows in command.groups:
            for name, _ in rows:
                assert f"`{name.replace('|', chr(92) + '|')}`" in page and name.replace("-", "\\-") in man


def test_every_public_name_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "python.md").read_text("utf-8")
    wanted = set(labelkit.__all__) - {"__version__", "watermark"}
    assert {name for name in wanted if f"<!-- labelkit.{name} -->" not in page} == set()


def test_the_negative_twin_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(LookupError):
        reference.filled("<!-- labelkit.no_such_name -->")
    with pytest.raises(KeyError):
        reference.filled("<!-- from the code: no_such_table -->")


def test_rows_of_a_docstring_become_definitions() -> None:
    rows = "name    what it is,\n        over two lines\nlong_name\n        on its own\nother   [n] *\n"
    made = api.markdown(f"Sentence.\n\n{rows}Raises Something.\n\n    code()")
    assert ("`name`\n: what it is,\n  over two lines\n\n`long_name`\n: \n  on its own\n\n"
            "`other`\n: \\[n\\] \\*\n\nRaises Something.") in made
    assert made.endswith("```python\ncode()\n```")
