# SPDX-License-Identifier: Apache-2.0
"""The pictures of README.md: a labelled picture, and its verdict as `check --html` shows it in Chromium.

    python -m docs.figures.readme
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

import labelkit as lk
from docs.figures._style import IMAGES, SAMPLES
from labelkit.cli import main as cli

LABEL = lk.Label(lk.Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")
WIDTH, HEIGHT = 1000, 655  # of the report's beginning


def main() -> None:
    labelled = IMAGES / "labelled.jpg"
    with Image.open(SAMPLES / "valley.jpg") as host:
        host.thumbnail((640, 640), Image.Resampling.LANCZOS)
        lk.embed(host, labelled, LABEL, plan=lk.Plan(quality=lk.plan.Quality(percent=85)))
    chromium = shutil.which("chromium")
    if not chromium:
        raise SystemExit("chromium is needed to draw the verdict")
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder) / "report.html", Path(folder) / "shot.png"
        with contextlib.chdir(IMAGES), contextlib.redirect_stdout(None):
            cli.main(["check", labelled.name, "--html", str(page), "--lang", "en"])
        subprocess.run([chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                        f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={shot}", page.as_uri()], check=True,
                       capture_output=True, timeout=60)
        with Image.open(shot) as picture:
            picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(IMAGES / "verdict.png", optimize=True)


if __name__ == "__main__":
    main()
