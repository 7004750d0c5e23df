# SPDX-License-Identifier: Apache-2.0
"""Drawing on pictures: height, contrast, place and refusals, all measured in the pixels that come out."""

import threading

import numpy as np
import pytest

from labelkit.choices import CORNERS, EDGES
from labelkit.errors import HostTooSmall, InvalidArgument, InvalidLabel
from labelkit.explicit import rules
from labelkit.explicit.image.drawing import OPAQUE_PLATE, draw
from labelkit.plan import Explicit
from tests.explicit.grounds import GROUNDS, ground

RED_FREE = (118, 118, 118)


def linear(pixels: np.ndarray) -> np.ndarray:
    """Relative luminance, written again from WCAG 2.1 so that the code is not checked against itself."""
    share = pixels.astype(float) / (255 if pixels.dtype == np.uint8 else 65535)
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return light if pixels.ndim == 2 else light[..., :3] @ np.array([0.2126, 0.7152, 0.0722])


def measured_contrast(pixels: np.ndarray, box: tuple[int, int, int, int]) -> float:
    x, y, w, h = box
    light = linear(pixels[y - 3:y + h + 3, x - 3:x + w + 3])
    ground_light = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])  # just outside the ink
    ink = light.max() if np.median(ground_light) < 0.3 else light.min()
    worst = np.percentile(ground_light, 99) if ink > np.median(ground_light) else np.percentile(ground_light, 1)
    low, high = sorted((ink, worst))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", GROUNDS)
@pytest.mark.parametrize("opacity", [1.0, 0.8, 0.6])
def test_text_is_legible_on_any_ground(name, opacity):
    out, placement = draw(ground(name), Explicit(opacity=opacity))
    assert placement.contrast >= rules.MIN_CONTRAST
    assert measured_contrast(out, placement.box) >= rules.MIN_CONTRAST * 0.95  # the 1 % are sampled


def test_plain_white_text_on_mid_grey_would_not_be_legible():
    """The negative twin: without a plate the same label fails the measure that the test above uses."""
    host = ground("mid grey")
    _, placement = draw(host, Explicit())
    x, y, w, h = placement.box
    host[y:y + h, x:x + w] = 200
    host[y:y + h:2, x:x + w] = RED_FREE
    assert measured_contrast(host, placement.box) < rules.MIN_CONTRAST
    assert placement.treatment == "plate"


def test_calm_ground_needs_no_plate():
    treatments = {name: draw(ground(name), Explicit())[1].treatment for name in GROUNDS}
    assert treatments["white"] == treatments["black"] == "plain"
    assert treatments["noise"] == treatments["checkerboard"] == treatments["mid grey"] == "plate"


@pytest.mark.parametrize("size", [(64, 64), (300, 400), (1024, 1024), (100, 8000), (8000, 100), (2160, 3840)])
@pytest.mark.parametrize("share", [0.05, 0.08])
def test_ink_height_reaches_the_floor(size, share):
    out, placement = draw(np.zeros((*size, 3), np.uint8), Explicit(height=share))
    x, y, w, h = placement.box
    ink = out[y:y + h, x:x + w, 0] >= 128
    columns = np.flatnonzero(~ink.any(axis=0))
    first = ink[:, :columns[0]] if len(placement.lines) == 1 else ink[:ink.shape[0] // 2]  # the capital A is lowest
    rows = np.flatnonzero(first.any(axis=1))
    floor = max(rules.MIN_INK_PX, int(np.ceil(share * min(size) - 1e-9)))
    assert rows[-1] - rows[0] + 1 == placement.ink_height_px
    assert floor <= placement.ink_height_px <= floor + 1 + floor // 25
    assert placement.height_share >= share


def test_floor_is_rounded_up_not_to_the_nearest():
    assert rules.floor_px(1010, 1010) == 51  # 50.5
    assert rules.floor_px(1000, 1000) == 50
    assert rules.floor_px(10000, 300) == 15
    assert rules.floor_px(40, 40) == rules.MIN_INK_PX


@pytest.mark.parametrize("corner", CORNERS + EDGES)
def test_label_is_at_the_corner_or_edge(corner):
    host = ground("black", 400, 600)
    out, placement = draw(host, Explicit(corner=corner))
    changed = np.argwhere((out != host).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    distances = {"top": top, "left": left, "bottom": 400 - 1 - bottom, "right": 600 - 1 - right}
    near = {side for side, distance in distances.items() if distance < 0.08 * 400}
    assert near == set(corner.split("-"))
    if corner in ("top", "bottom"):
        assert abs(left - distances["right"]) <= 2
    if corner in ("left", "right"):
        assert abs(top - distances["bottom"]) <= 2


def test_only_the_label_area_changes_and_the_host_stays():
    host = ground("noise")
    before = host.copy()
    out, placement = draw(host, Explicit())
    assert np.array_equal(host, before) and out is not host
    x, y, w, h = placement.box
    outside = np.ones(out.shape[:2], bool)
    outside[y - h:y + 2 * h, x - h:x + w + h] = False
    assert np.array_equal(out[outside], host[outside])
    assert not np.array_equal(out, host)


def test_in_place_edits_the_array_itself():
    host = ground("noise")
    expected, _ = draw(host, Explicit())
    out, _ = draw(host, Explicit(), in_place=True)
    assert out is host and np.array_equal(host, expected)


def test_in_place_refuses_read_only_pixels_and_borders():
    host = ground("white")
    with pytest.raises(InvalidArgument, match="border"):
        draw(host, Explicit(border=True), in_place=True)
    host.flags.writeable = False
    with pytest.raises(InvalidArgument, match="read-only"):
        draw(host, Explicit(), in_place=True)


@pytest.mark.parametrize("shape", [(300, 400), (300, 400, 3), (300, 400, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_pixel_type_shows_the_same_label(shape, dtype):
    top = np.iinfo(dtype).max
    host = np.full(shape, top, dtype)
    out, placement = draw(host, Explicit())
    assert out.dtype == dtype and out.shape == shape
    reference, _ = draw(np.full((300, 400, 3), 255, np.uint8), Explicit())
    grey = (out if out.ndim == 2 else out[..., 0]).astype(float) * 255 / top
    assert abs(grey - reference[..., 0]).max() <= 1.5


def test_strided_views_are_drawn_upright():
    host = ground("noise", 600, 800)
    views = [host[::2, ::2], host[::-2, ::-2], host[:300, :400][..., ::-1], np.asfortranarray(host[:300, :400])]
    for view in views:
        out, _ = draw(view, Explicit())
        expected, _ = draw(np.ascontiguousarray(view), Explicit())
        assert np.array_equal(out, expected)


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_label_is_visible_in_a_transparent_picture_on_any_page(colour, dtype):
    top = np.iinfo(dtype).max
    host = np.zeros((300, 400, 4), dtype)
    host[..., :3] = colour * (top // 255)
    out, placement = draw(host, Explicit())
    for page in (0.0, 1.0):
        alpha = out[..., 3:] / top
        seen = np.rint((out[..., :3] / top * alpha + page * (1 - alpha)) * 255).astype(np.uint8)
        assert measured_contrast(seen, placement.box) >= rules.MIN_CONTRAST
    assert not out[:200, :, 3].any()  # the rest stays transparent


def test_opaque_alpha_stays_opaque():
    host = np.dstack([ground("noise"), np.full((300, 400), 255, np.uint8)])
    out, _ = draw(host, Explicit())
    assert (out[..., 3] == 255).all()
    assert np.array_equal(out[..., :3], draw(host[..., :3], Explicit())[0])


@pytest.mark.parametrize("corner", ["top-left", "bottom-right", "left"])
@pytest.mark.parametrize("size", [(300, 400), (1000, 120), (90, 2000)])
def test_border_leaves_the_picture_untouched(corner, size):
    host = ground("noise", *size)
    out, placement = draw(host, Explicit(border=True, corner=corner))
    strip = out.shape[0] - size[0]
    inside = out[strip:] if corner.startswith("top") else out[:-strip]
    assert strip > 0 and np.array_equal(inside, host)
    assert placement.height_share * min(out.shape[:2]) == placement.ink_height_px
    assert placement.height_share >= 0.05 and placement.contrast >= rules.MIN_CONTRAST
    y, h = placement.box[1], placement.box[3]
    assert (y + h <= strip) if corner.startswith("top") else (y >= size[0])


def test_border_of_a_transparent_picture_is_opaque():
    out, _ = draw(np.zeros((200, 300, 4), np.uint16), Explicit(border=True))
    assert (out[200:, :, 3] == 65535).all() and not out[:200].any()


def test_icon_puts_a_badge_beside_the_text():
    host = ground("black")
    _, text = draw(host, Explicit())
    out, icon = draw(host, Explicit(style="icon"))
    assert icon.box[2:] == text.box[2:]  # the same text
    x, y, _, h = icon.box
    badge = out[y:y + h, x - 3 * h:x]
    assert (badge == 255).all(axis=2).any(axis=1).all()  # filled beside the text
    assert not (draw(host, Explicit())[0][y:y + h, x - 3 * h:x] == 255).any()


def test_long_text_is_wrapped_and_keeps_its_height():
    text = "本视频内容由人工智能生成合成"
    _, wide = draw(ground("white", 300, 900), Explicit(text=text, height=0.1))
    _, narrow = draw(ground("white", 600, 300), Explicit(text=text, height=0.1))
    assert wide.lines == (text,) and len(narrow.lines) > 1
    assert "".join(narrow.lines) == text
    assert all("人工智能" in line or "人工智" not in line for line in narrow.lines)
    assert narrow.ink_height_px >= 30


@pytest.mark.parametrize(("size", "border"), [((16, 16), False), ((1, 1), False), ((8, 5000), False), ((12, 40), False),
                                              ((16, 16), True), ((1, 1), True), ((5000, 8), True)])
def test_too_small_a_picture_is_refused_and_says_what_would_do(size, border):
    with pytest.raises(HostTooSmall, match="AI生成") as refusal:
        draw(np.zeros((*size, 3), np.uint8), Explicit(border=border))
    assert refusal.value.hint


def test_a_flat_picture_that_cannot_hold_the_label_can_have_it_in_a_border():
    out, placement = draw(np.zeros((8, 5000, 3), np.uint8), Explicit(border=True))
    assert out.shape[0] > 8 and placement.ink_height_px >= rules.MIN_INK_PX


def test_label_of_the_smallest_picture_that_takes_one_is_inside():
    for side in range(16, 64):
        try:
            out, placement = draw(np.zeros((side, side, 3), np.uint8), Explicit())
        except HostTooSmall:
            assert side < 40
            continue
        x, y, w, h = placement.box
        assert 0 <= x and 0 <= y and x + w <= side and y + h <= side and placement.ink_height_px >= rules.MIN_INK_PX


@pytest.mark.parametrize(("text", "missing"), [("AI播客", "生成"), ("虚拟主播", "人工智能"), ("生成", "AI"), ("", "AI"),
                                               ("AI generated", "生成"), ("A I 生成", "AI"), ("A\u200bI生成", "AI")])
def test_text_without_an_element_is_refused_with_the_clause(text, missing):
    with pytest.raises(InvalidLabel, match="GB 45438-2025 5.2") as refusal:
        draw(ground("white"), Explicit(text=text))
    assert missing in str(refusal.value)
    assert "GB 45438-2025 5.2" in refusal.value.text("zh-CN")


@pytest.mark.parametrize("text", ["AI生成", "人工智能合成", "本节目由AI合成", "人工智能生成合成"])
def test_text_with_both_elements_is_drawn(text):
    assert "".join(draw(ground("white"), Explicit(text=text))[1].lines) == text


@pytest.mark.parametrize("pixels", [np.zeros((9, 9), float), np.zeros((0, 9, 3), np.uint8),
                                    np.zeros((9, 9, 2), np.uint8), np.zeros(9, np.uint8), [[1, 2]], None])
def test_what_is_no_picture_is_refused(pixels):
    with pytest.raises(InvalidArgument, match="pixels are"):
        draw(pixels, Explicit())


def test_an_opaque_plate_is_the_same_on_every_frame():
    labels = []
    for name in GROUNDS:
        out, placement = draw(ground(name), Explicit(), treatment=OPAQUE_PLATE)
        x, y, w, h = placement.box
        assert placement.contrast >= rules.MIN_CONTRAST
        labels.append(out[y:y + h, x:x + w])
    assert all(np.array_equal(label, labels[0]) for label in labels)


def test_cached_and_fresh_renderings_are_identical():
    from labelkit.explicit.image import drawing as image, raster

    first, _ = draw(ground("noise"), Explicit(style="icon"))
    again, _ = draw(ground("noise"), Explicit(style="icon"))
    for cache in (raster.render, image.fit, image._overlay):
        cache.cache_clear()
    fresh, _ = draw(ground("noise"), Explicit(style="icon"))
    assert np.array_equal(first, again) and np.array_equal(first, fresh)


def test_a_cached_rendering_cannot_be_changed():
    from labelkit.explicit.image.raster import render

    with pytest.raises(ValueError, match="read-only"):
        render(("AI生成",), 20, "text", None).ink[0, 0] = 1


def test_threads_draw_what_one_thread_draws():
    from labelkit.explicit.image import raster

    expected = [draw(ground("noise", 200 + 10 * i, 300), Explicit())[0] for i in range(6)]
    raster.render.cache_clear()
    results: dict[int, np.ndarray] = {}

    def work(start: int) -> None:
        for i in range(6):
            n = (i + start) % 6
            results[start * 10 + n] = draw(ground("noise", 200 + 10 * n, 300), Explicit())[0]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 24
    assert all(np.array_equal(out, expected[key % 10]) for key, out in results.items())
