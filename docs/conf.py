# SPDX-License-Identifier: Apache-2.0
"""The documentation, built by Sphinx: `make docs` writes build/docs.

Sphinx with furo was chosen because both are kept, because furo fetches nothing from other servers and reads well on a
phone, and because the pages are Markdown (MyST), which a forge shows too. Material for MkDocs ends in May 2027, and its
successor, Zensical 0.1, does not find dead links.

Warnings are errors. What Sphinx is asked to do besides is in docs/site/.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from labelkit.distribution import __version__  # noqa: E402  the path comes first

project, author, release = "labelkit", "the labelkit maintainers", __version__
copyright = "the labelkit maintainers, Apache-2.0"
extensions = ["myst_parser", "docs.site.extension"]
root_doc = "index"
source_suffix = {".md": "markdown"}
exclude_patterns = ["site", "figures"]

myst_enable_extensions = ["dollarmath", "deflist", "attrs_inline", "attrs_block"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "labelkit"
html_favicon = "images/favicon.svg"
html_static_path = ["site/static"]
html_css_files = ["labelkit.css"]
templates_path = ["site/templates"]
html_sidebars = {"**": ["sidebar/brand.html", "sidebar/search.html", "sidebar/languages.html",
                        "sidebar/scroll-start.html", "sidebar/navigation.html", "sidebar/scroll-end.html"]}
html_copy_source = False
smartquotes = False
html_show_sphinx = False
html_math_renderer = "mathml"
html_search_language = "en"  # with Chinese in pairs of characters, see docs/site/extension.py
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#115e80", "color-brand-content": "#115e80"},
    "dark_css_variables": {"color-brand-primary": "#8fd0ee", "color-brand-content": "#8fd0ee"},
}
