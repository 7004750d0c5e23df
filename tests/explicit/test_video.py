# SPDX-License-Identifier: Apache-2.0
"""The explicit label on films: when it is shown, where it stands as displayed, and whether it is found again."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from labelkit import codec, container, explicit
from labelkit.codec import transcode
from labelkit.codec.frame import Frame, FrameFormat, Orientation
from labelkit.errors import HostTooSmall, InvalidArgument, InvalidLabel
from labelkit.explicit.image.finding import find_in
from labelkit.explicit.video import drawing as video
from labelkit.languages import LANGUAGES
from labelkit.plan import Explicit, Quality, Showing
from labelkit.report import Status
from tests.films import film, scene


def frame(form: FrameFormat, seconds: float = 0.0, level: float = 0.45) -> Frame:
    """A grey frame of a form."""
    kind = np.uint8 if form.bits == 8 else np.uint16
    value = int(level * (1 << form.bits))
    luma = np.full((form.height, form.width), value, kind)
    x, y = form.halved or (0, 0)
    small = (-(-form.height // (1 << y)), -(-form.width // (1 << x)))
    chroma = tuple(np.full(small, (1 << form.bits - 1) + 30, kind) for _ in range(2)) if form.halved else ()
    return Frame(form, luma, chroma, None, seconds, 0)


FORMS = {
    "plain": FrameFormat(640, 360), "ten bits": FrameFormat(640, 360, bits=10),
    "grey": FrameFormat(640, 360, halved=None),
    "full range": FrameFormat(640, 360, full_range=True), "4:2:2": FrameFormat(640, 360, halved=(1, 0)),
    "odd": FrameFormat(641, 359),
    "anamorphic": FrameFormat(480, 360, aspect=Fraction(4, 3)),
    "tall pixels": FrameFormat(640, 360, aspect=Fraction(1, 2)),
    "turned": FrameFormat(640, 360, orientation=Orientation(True, True, False)),
    "turned the other way": FrameFormat(640, 360, orientation=Orientation(True, False, True)),
    "upside down": FrameFormat(640, 360, orientation=Orientation(False, True, True)),
    "mirrored": FrameFormat(640, 360, orientation=Orientation(False, True, False)),
    "turned and anamorphic": FrameFormat(480, 360, aspect=Fraction(4, 3), orientation=Orientation(True, True, False)),
    "pq": FrameFormat(640, 360, bits=10, transfer="pq"), "hlg": FrameFormat(640, 360, bits=10, transfer="hlg"),
}


@pytest.mark.parametrize("corner", ["bottom-right", "top-left"])
@pytest.mark.parametrize("name", FORMS)
def test_the_label_is_upright_and_high_enough_as_displayed(name, corner):
    drawn = frame(FORMS[name])
    bare = drawn.grey().copy()
    video.Drawing(Explicit(corner=corner)).draw(drawn)
    grey = drawn.grey()
    match = find_in(grey)
    assert match and match.text == "AI生成"
    assert match.glyph_height_px >= 0.05 * min(grey.shape) * 0.97
    height, width = grey.shape
    x, y = match.box[0] + match.box[2] / 2, match.box[1] + match.box[3] / 2
    assert (x > width / 2, y > height / 2) == ((True, True) if corner == "bottom-right" else (False, False))
    assert find_in(bare) is None


@pytest.mark.parametrize("name,white,black", [("plain", 235, 33), ("full range", 255, 20), ("ten bits", 940, 133),
                                              ("pq", 572, 104), ("hlg", 721, 116)])
def test_ink_and_plate_have_the_code_values_of_range_and_transfer(name, white, black):
    drawn = frame(FORMS[name])
    video.Drawing(Explicit()).draw(drawn)
    x, y, width, height = video.Drawing(Explicit()).drawn(FORMS[name]).box
    inside = drawn.luma[y:y + height, x:x + width]
    assert abs(int(inside.max()) - white) <= 1 and abs(int(inside.min()) - black) <= 1
    chroma = drawn.chroma[0][y // 2 + 1:(y + height) // 2 - 1, x // 2 + 1:(x + width) // 2 - 1]
    assert np.abs(chroma.astype(int) - (1 << FORMS[name].bits - 1)).max() <= 1


def test_outside_the_label_nothing_changes():
    drawn, bare = frame(FORMS["plain"]), frame(FORMS["plain"])
    video.Drawing(Explicit()).draw(drawn)
    changed = np.argwhere(drawn.luma != bare.luma)
    assert changed[:, 0].min() > 300 and changed[:, 1].min() > 500
    assert np.array_equal(drawn.chroma[0][:150], bare.chroma[0][:150])


def test_bars_keep_clear_of_the_label_and_count_for_its_height():
    form = FrameFormat(360, 640, active=(0, 220, 360, 202))
    drawn = frame(form)
    video.Drawing(Explicit()).draw(drawn)
    x, y, width, height = video.Drawing(Explicit()).drawn(form).box
    assert 220 <= y and y + height <= 422
    assert find_in(drawn.grey()[220:422]).glyph_height_px >= 0.05 * 360 * 0.97  # not of the 202 rows inside
    assert replace(form, active=None) != form
    y = video.Drawing(Explicit()).drawn(replace(form, active=None)).box[1]
    assert y > 422


@pytest.mark.parametrize("showing,shown,bare", [
    (Showing(seconds=2), [0, 1, 2.0], [2.04, 5, 9.9]), (Showing(), [0, 3.0], [3.04, 9]),
    (Showing(math.inf), [0, 5, 10], []), (Showing(2, at_end=True), [0, 2, 8, 10], [2.1, 7.9]),
    (Showing(2, every=4), [0, 2, 4, 6, 8.5], [2.1, 3.9, 6.1]), (Showing(2, fade=1), [0, 2, 2.5], [3.1, 9]),
    (Showing(2, every=5, fade=1), [1, 2.5, 4.5, 5, 7], [3.5])])
def test_when_the_label_is_shown(showing, shown, bare):
    levels = [video.shown(showing, seconds, 10.0) for seconds in shown]
    assert all(level > 0 for level in levels)
    assert all(video.shown(showing, seconds, 10.0) == 0 for seconds in bare)
    assert all(video.shown(showing, seconds, 10.0) == 1 for seconds in (0, 1, 2))  # the legal time is never faded


def test_a_faded_label_lies_between_bare_and_full():
    drawing = video.Drawing(Explicit(showing=Showing(2, fade=1)), 10.0)
    frames = [frame(FORMS["plain"], seconds) for seconds in (1.0, 2.5, 5.0)]
    for one in frames:
        drawing.draw(one)
    x, y, width, height = drawing.drawn(FORMS["plain"]).box
    full, half, bare = (int(one.luma[y:y + height, x:x + width].max()) for one in frames)
    assert full > half > bare


@pytest.mark.parametrize("settings", [{"seconds": 1.9}, {"seconds": math.nan}, {"fade": -1}, {"every": 1.0}])
def test_showings_below_the_law_are_refused(settings):
    with pytest.raises(InvalidArgument):
        Showing(**settings)


def test_what_a_film_cannot_have_is_refused(tmp_path):
    with pytest.raises(InvalidArgument):
        video.Drawing(Explicit(border=True))
    with pytest.raises(InvalidLabel):
        video.Drawing(Explicit(text="AI播客"))
    with pytest.raises(HostTooSmall):
        video.Drawing(Explicit()).drawn(FrameFormat(48, 20))


def found(path, text=None):
    with container.opened(path) as reader:
        return explicit.find(codec.decode(reader), text)


def labelled(source, target, drawn=None):
    with container.opened(source) as reader:
        samples, evidence = explicit.draw(codec.decode(reader), drawn or Explicit())
        transcode.encode(samples, target, Quality(preset="ultrafast"))
    return evidence


@pytest.mark.parametrize("name,settings", [("film.mp4", {"rotation": 90}), ("film.mkv", {"aspect": Fraction(4, 3)}),
                                           ("short.mp4", {"count": 12})])
def test_a_drawn_label_is_found_in_the_file_and_none_without(name, settings, tmp_path):
    source = film(tmp_path / name, **{"count": 60, **settings})
    evidence = labelled(source, tmp_path / ("out_" + name))
    finding = found(tmp_path / ("out_" + name))
    assert finding.status is Status.VALID, str(finding.summary)
    assert finding.evidence.position == evidence.position == "bottom-right"
    assert found(source).status is Status.ABSENT


def test_a_text_of_the_users_is_found_when_it_is_named(tmp_path):
    source = film(tmp_path / "film.mp4", count=10, size=(480, 360))
    labelled(source, tmp_path / "out.mp4", Explicit(text="本片由AI合成"))
    assert found(tmp_path / "out.mp4", "本片由AI合成").evidence.text == "本片由AI合成"


def test_a_label_that_goes_too_early_is_invalid(tmp_path):
    drawing = video.Drawing(Explicit())

    def frames():
        for index, rows in enumerate(scene(320, 240, 60)):
            out = rows.copy()
            one = Frame(FrameFormat(320, 240, halved=None), out, (), None, index / 25, index)
            if index < 25:
                drawing.draw(one)
            yield out

    finding = found(film(tmp_path / "film.mp4", luma=frames()))
    assert finding.status is Status.INVALID


@pytest.mark.parametrize("language", ["de", "ru", "ar", "hi", "ko"])
def test_a_label_in_another_language_is_found_in_the_film(language, tmp_path):
    source = film(tmp_path / "film.mp4", size=(480, 360), count=8)
    assert found(source).status is Status.ABSENT
    labelled(source, tmp_path / "out.mp4", Explicit(language=language))
    finding = found(tmp_path / "out.mp4")
    assert finding.status is Status.VALID
    assert finding.evidence.text == LANGUAGES[language].text and finding.evidence.language == language
