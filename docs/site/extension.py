# SPDX-License-Identifier: Apache-2.0
"""What Sphinx is asked to do besides: pages made from the code, formulas without a script, two languages, llms.txt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from docutils import nodes
from latex2mathml.converter import convert
from sphinx import search
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

from docs.site import manual, reference, texts

_SUMMARY = "Labels AI-generated media as GB 45438-2025 asks, and verifies the labels of any file."
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("source-read", _insert_from_code)
    app.connect("html-page-context", _in_one_language, priority=900)  # after the theme's own
    app.connect("build-finished", _write_texts)
    search.languages["en"] = _EnglishAndChinese
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _insert_from_code(_app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = texts.prepared(reference.filled(source[0]), name)


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(convert(node.astext().strip(), display="block"))
    raise nodes.SkipNode


class _EnglishAndChinese(SearchEnglish):
    """English, with Chinese split into pairs of characters, as sphinx's script does with what is searched for."""

    def split(self, input: str) -> list[str]:
        plain = super().split(_CHINESE.sub(" ", input))
        runs = _CHINESE.findall(input)
        return plain + [run[i : i + size] for run in runs for size in (1, 2, 3, 4) for i in range(len(run) - size + 1)]


def _in_one_language(app: Sphinx, name: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """A page's language, its twin in the other one, and a sidebar of pages in its own."""
    chinese = name.startswith("zh/")
    twin = name.removeprefix("zh/") if chinese else f"zh/{name}"
    context["language"] = "zh-CN" if chinese else "en"
    context["other_language"], context["other_name"] = ("en", "English") if chinese else ("zh-CN", "中文")
    context["other_page"] = twin if twin in app.env.found_docs else "index" if chinese else "zh/index"
    tree = BeautifulSoup(context.get("furo_navigation_tree", ""), "html.parser")
    for caption in tree.find_all("p", class_="caption"):
        caption["aria-level"] = "2"
        if bool(_CHINESE.search(caption.get_text())) is not chinese:
            caption.find_next_sibling("ul").decompose()
            caption.decompose()
    context["furo_navigation_tree"] = str(tree)


def _accessible(html: str, name: str) -> str:
    """A page whose two sidebars have names, and whose tables and blocks of code can be scrolled with the keyboard."""
    sites, contents = ("网站目录", "本页目录") if name.startswith("zh/") else ("Site navigation", "On this page")
    html = html.replace('<aside class="sidebar-drawer"', f'<aside aria-label="{sites}" class="sidebar-drawer"')
    html = html.replace('<aside class="toc-drawer', f'<aside aria-label="{contents}" class="toc-drawer')
    html = html.replace('<div class="table-wrapper ', '<div tabindex="0" class="table-wrapper ')
    return html.replace("<pre>", '<pre tabindex="0">')


def _write_texts(app: Sphinx, failed: Exception | None) -> None:
    """Write llms.txt, each page as Markdown beside it, and the manual page; finish the pages."""
    if failed or app.builder.format != "html":
        return
    site, lines = Path(app.outdir), ["# labelkit", "", f"> {_SUMMARY}", ""]
    for name in sorted(app.env.found_docs, key=lambda name: (name.startswith("zh/"), name != "index", name)):
        text = reference.filled(Path(app.env.doc2path(name)).read_text("utf-8"))
        (site / f"{name}.md").write_text(text, "utf-8")
        page = site / f"{name}.html"
        page.write_text(_accessible(page.read_text("utf-8"), name), "utf-8")
        lines.append(f"- [{app.env.titles[name].astext()}]({name}.md): {texts.description(text)}")
    (site / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (site / "labelkit.1").write_text(manual.page(), "utf-8")
