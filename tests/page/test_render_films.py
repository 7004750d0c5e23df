# SPDX-License-Identifier: Apache-2.0
"""Films on the HTML page: players of the very files, and what changed between them."""

from __future__ import annotations

import base64
import io
import math
import re

import numpy as np
import pytest
from PIL import Image

import labelkit
from labelkit.errors import UnsupportedFormat
from labelkit.page import video_preview
from labelkit.page.render import Exhibit, page
from labelkit.page.video_preview import VideoPreview
from labelkit.plan import Plan, Quality
from tests.codec.test_video import needs
from tests.films import film, scene
from tests.media import LABEL
from tests.page.test_render import HOSTILE, Reader, picture, png, report
from tests.test_films import said_by_browser


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[bytes, bytes, labelkit.Report]:
    """A film before and after, and the report on it."""
    folder = tmp_path_factory.mktemp("pair")
    source = film(folder / "film.mp4", size=(480, 360), count=30)
    target = labelkit.embed(source, folder / "out.mp4", LABEL, plan=Plan(quality=Quality(preset="ultrafast")))
    return source.read_bytes(), target.read_bytes(), labelkit.verify(target)


def still(shown: tuple[str, bytes]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(shown[1])).convert("RGB")).astype(int)


def test_the_very_files_are_played_and_the_difference_is_that_of_the_watermark(pair):
    before, after, said = pair
    box = said[labelkit.Layer.EXPLICIT].evidence.box
    shown = VideoPreview.of(before, after, box)
    assert (shown.before, shown.after) == (("video/mp4", before), ("video/mp4", after))
    assert (shown.height, shown.width) == (360, 480) and shown.seconds == pytest.approx(1.2, abs=0.05)
    assert 35 < shown.psnr_db < 48 and VideoPreview.of(before, after, None).psnr_db < shown.psnr_db - 3
    grey = still(shown.difference)
    assert abs(grey[:200].mean() - 128) < 6 and 3 < grey[:200].std() < 60
    x, y, width, _ = box
    line = grey[y - 6, x:x + width]
    assert (line[:, 0] - line[:, 1]).mean() > 60  # the outline is red, all else is grey
    bare = still(VideoPreview.of(before, after, None).difference)[y - 6, x:x + width]
    assert abs((bare[:, 0] - bare[:, 1]).mean()) < 5


def test_nothing_changed_is_said_so(pair):
    assert VideoPreview.of(pair[0], pair[0], None).psnr_db == math.inf
    text = page([Exhibit("a.mp4", report(), pair[0], pair[0])])
    assert "nothing changed outside" in text and "No explicit label was found" in text


def test_another_size_has_no_difference(pair, tmp_path):
    other = film(tmp_path / "film.mp4", count=3).read_bytes()
    shown = VideoPreview.of(pair[0], other, None)
    assert shown.difference is None and math.isnan(shown.psnr_db)
    assert "no difference to show" in page([Exhibit("a.mp4", report(), pair[0], other)])


@pytest.mark.parametrize("name", ["film.avi", "film.mkv"])
def test_what_no_browser_plays_is_compared_but_not_carried(name, tmp_path):
    data = film(tmp_path / name, codec="mpeg4", count=3).read_bytes()
    shown = VideoPreview.of(data, data, None)
    assert shown.before is None and shown.difference
    read = Reader(page([Exhibit(name, report(), data, data)]))
    assert "browsers do not play it" in read.text and "video" not in [tag for tag, _ in read.tags]


def test_a_large_film_is_not_carried(pair, monkeypatch):
    monkeypatch.setattr(video_preview, "MAX_PLAYED_BYTES", len(pair[0]))
    shown = VideoPreview.of(pair[0], pair[1], None)
    assert shown.before and shown.after is None


def test_what_is_no_film_is_refused():
    with pytest.raises(UnsupportedFormat, match="no film to show"):
        VideoPreview.of(png(picture()), png(picture()), None)


def test_the_page_has_players_with_words_in_both_languages(pair):
    before, after, said = pair
    text = page([Exhibit(HOSTILE, said, before, after)])
    read = Reader(text)
    assert read.injected() == []
    players = [a for tag, a in read.tags if tag == "video"]
    assert len(players) == 2 and all("controls" in a and "muted" in a and "playsinline" in a for a in players)
    assert all("autoplay" not in a and a["aria-label"].startswith("Play the film") for a in players)
    assert players[1]["src"] == "data:video/mp4;base64," + base64.b64encode(after).decode()
    assert players[0]["style"] == "aspect-ratio: 480 / 446"  # room for the controls below the picture
    assert "The label is outlined in the difference" in read.text and "差异图中框出了标识" in read.text
    pairs = re.findall(r'<span lang="en">(.*?)</span><span lang="zh-CN">(.*?)</span>', text)
    assert not [english for english, chinese in pairs if english == chinese]


def test_a_film_that_cannot_be_shown_leaves_the_report(pair):
    broken = page([Exhibit("a.mp4", report(), pair[0][:2000], pair[1])])
    assert "<video" not in broken and "Why this verdict" in broken


ASKING = """<script>const all = [...document.querySelectorAll("video")];
const moved = v => new Promise((done, failed) => {  // it may begin to play, and fail after that
  v.ontimeupdate = () => v.currentTime > 0.2 && done();
  v.onerror = v.onended = failed;
  v.play().catch(failed);
});
Promise.all(all.map(moved))
.then(() => fetch("/said/" + all.map(v => v.videoWidth).join("-")), () => fetch("/said/error"));</script>"""


@pytest.mark.parametrize("whole,says", [(True, "480-480"), (False, "error")])
def test_a_browser_plays_the_films_of_the_page(whole, says, pair, tmp_path):
    """The page's policy runs no script, so the test asks from a copy without it."""
    needs("chromium")
    before, after, said = pair
    text = page([Exhibit("a.mp4", said, before, after)])
    if not whole:
        text = text.replace(base64.b64encode(after).decode()[4000:], "")
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', text).group()
    (tmp_path / "page.html").write_text(text.replace(policy, "").replace("</body>", ASKING + "</body>"), "utf-8")
    assert said_by_browser(tmp_path) == says


def test_frames_are_compared_in_time(tmp_path):
    """A film of other frames is far away, so the figure does not come from the first frame alone."""
    rows = list(scene(320, 240, 20))
    one = film(tmp_path / "one.mp4", luma=iter(rows), count=20)
    other = film(tmp_path / "other.mp4", luma=iter([rows[0], *reversed(rows[1:])]), count=20)
    assert VideoPreview.of(one.read_bytes(), one.read_bytes(), None).psnr_db == math.inf
    assert VideoPreview.of(one.read_bytes(), other.read_bytes(), None).psnr_db < 25
