# SPDX-License-Identifier: Apache-2.0
"""The picture of the architecture, as SVG. `python -m docs.figures.architecture`"""

from __future__ import annotations

from html import escape

from docs.figures._style import IMAGES

WIDTH, HEIGHT = 640, 590
_CALLERS = ("cli", "page", "integrations", "service", "batch", "your program")
_STYLE = ("text{font-family:system-ui,sans-serif;font-size:15px;fill:#16242d}.small{font-size:13px;fill:#41525c}"
          ".title{font-weight:600}.mono{font-family:ui-monospace,monospace;font-size:13.5px}")


def box(x: int, y: int, width: int, height: int, fill: str, *lines: str) -> str:
    """A box with a title and lines under it."""
    parts = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="#1d4f6e"/>']
    for number, line in enumerate(lines):
        parts.append(f'<text class="{"title" if number == 0 else "small"}" x="{x + width // 2}" '
                     f'y="{y + 23 + 19 * number}" text-anchor="middle">{escape(line)}</text>')
    return "".join(parts)


def arrow(x: int, y: int, length: int = 22) -> str:
    """An arrow down: what is above calls what is below."""
    return f'<path d="M{x} {y}v{length}" stroke="#1d4f6e" stroke-width="1.6" marker-end="url(#tip)"/>'


def drawing() -> str:
    """The whole picture."""
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
             "<title>How the parts of labelkit call each other</title>", f"<style>{_STYLE}</style>",
             '<defs><marker id="tip" markerWidth="9" markerHeight="9" refX="6" refY="4" orient="auto">'
             '<path d="M0 0L8 4L0 8z" fill="#1d4f6e"/></marker></defs>',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    x = 10
    for name in _CALLERS:
        width = 62 + 7 * max(0, len(name) - 5)
        parts.append(box(x, 10, width, 36, "#eef3f6", name))
        x += width + 6
    parts += [arrow(320, 46), box(10, 72, 620, 56, "#d8e8f0", "pipeline.py, the only file that knows the order",
                                  "embed, verify; around it propagate, many, aio, compliance, isolation")]
    parts += [arrow(160, 128), arrow(480, 128)]
    parts += [box(10, 156, 305, 150, "#f7efe6", "signal side: works on samples"),
              box(325, 156, 305, 150, "#e9f2e9", "file side: works on bytes")]
    parts += [box(24, 192, 134, 100, "#fff", "explicit", "image  audio", "video  text", "draw, find"),
              box(168, 192, 134, 100, "#fff", "watermark", "image  audio", "video  ecc", "embed, detect"),
              box(339, 192, 134, 100, "#fff", "metadata", "AIGC  XMP", "SM2  traces", "write, read"),
              box(483, 192, 134, 100, "#fff", "provenance", "manifest  trust", "signer", "sign, validate")]
    parts += [arrow(160, 306), arrow(480, 306)]
    parts += [box(10, 334, 305, 60, "#fff", "codec", "bytes to samples and back, by family"),
              box(325, 334, 305, 60, "#fff", "container", "where bytes can lie, by format")]
    parts += [arrow(160, 394), arrow(480, 394)]
    parts += [box(10, 422, 400, 74, "#eef3f6", "shared words",
                  "label  plan  key  payload  report  evidence", "errors  messages  (imports nothing above)"),
              box(420, 422, 210, 74, "#eef3f6", "log", "from a watermark", "to its label")]
    parts += [arrow(160, 496), box(10, 524, 620, 56, "#d8e8f0", "kernels",
                                   "native/: C for each instruction set, and a NumPy twin that gives the same bits")]
    return "".join([*parts, "</svg>\n"])


def main() -> None:
    (IMAGES / "architecture.svg").write_text(drawing(), "utf-8")


if __name__ == "__main__":
    main()
