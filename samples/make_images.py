# SPDX-License-Identifier: Apache-2.0
"""Makes the drawn samples and takes the photographs out of scikit-image's wheel.

    python make_images.py [FONT]

FONT sets the page of text, by default Debian's NotoSansCJK-Regular.ttc. Needs numpy, pillow and scikit-image,
at make time only; the pictures are the same on every run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

HERE = Path(__file__).parent
FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
SIMPLIFIED = 2  # face of the collection

TITLE = "春天的集市"
PARAGRAPHS = (
    "清晨六点，河边的石板路还带着露水，卖豆腐的老人已经支起了木架。他把纱布一层层揭开，热气便顺着屋檐往上走，和薄雾混在一起。",
    "集市从桥头一直排到老槐树下。竹篮里是刚剪下来的荠菜，水盆里的鲫鱼不时甩一下尾巴；铁匠的炉子烧得正旺，叮当声隔着半条街也听得见。",
    "孩子们最喜欢糖画摊。师傅舀起一勺糖稀，手腕一转，石板上就多了一只蝴蝶。等糖凉透，用竹签一粘，轻轻一揭，阳光正好从翅膀里穿过去。",
    "到了中午，雾散了，人声也慢慢低下来。船家解开缆绳，桨声一下一下，把剩下的半筐枇杷送回对岸。桥上的影子短了又长，集市就这样过完一天。",
    "傍晚落了几点雨，石板又亮起来。收摊的人把竹竿靠在墙边，说明天是谷雨，要早些来占桥头的位置；灯一盏一盏点上，河面便多了一条街。",
)


def page(font_path: str) -> Image.Image:
    """A page of Chinese text, grey."""
    sheet = Image.new("L", (900, 1200), 250)
    pen = ImageDraw.Draw(sheet)

    def font(size: int) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(font_path, size, index=SIMPLIFIED, layout_engine=ImageFont.Layout.BASIC)

    pen.text((450, 120), TITLE, fill=20, font=font(52), anchor="mm")
    pen.line((390, 176, 510, 176), fill=120, width=2)
    y = 240
    for paragraph in PARAGRAPHS:
        for line in wrapped("　　" + paragraph, 24):
            pen.text((90, y), line, fill=40, font=font(30))
            y += 50
        y += 14
    pen.text((450, 1150), "· 12 ·", fill=110, font=font(24), anchor="mm")
    return sheet


def wrapped(text: str, width: int) -> list[str]:
    """Lines of `width` characters; closing punctuation hangs at the end of the line before."""
    lines = [""]
    for character in text:
        if len(lines[-1]) >= width and character not in "，。；、":
            lines.append("")
        lines[-1] += character
    return lines


def blended(top: tuple, bottom: tuple, height: int, width: int) -> np.ndarray:
    """A vertical gradient, float [height, width, 3]."""
    share = np.linspace(0, 1, height)[:, None, None]
    return np.broadcast_to(np.array(top) * (1 - share) + np.array(bottom) * share, (height, width, 3)).copy()


def illustration() -> Image.Image:
    """Flat hills with a sun and a boat inside a disc, RGBA, transparent around it; drawn four times as large."""
    side, zoom = 640, 4
    large = side * zoom
    art = Image.fromarray(blended((255, 214, 165), (255, 240, 214), large, large).astype(np.uint8))
    pen = ImageDraw.Draw(art)

    def scaled(*values: float) -> list[float]:
        return [value * zoom for value in values]

    pen.ellipse(scaled(380, 120, 500, 240), fill=(244, 96, 64))
    for level, colour, swing, shift in ((330, (150, 186, 178), 46, 0.4), (380, (86, 140, 138), 38, 2.1),
                                        (430, (42, 92, 100), 26, 4.0)):
        edge = [(x * zoom, (level - swing * np.sin(x / 95 + shift) - 0.4 * swing * np.sin(x / 41)) * zoom)
                for x in range(0, side + 5, 4)]
        pen.polygon([*edge, (large, large), (0, large)], fill=colour)
    pen.rectangle(scaled(0, 480, side, side), fill=(24, 58, 76))
    for y, x0, x1 in ((505, 120, 260), (525, 330, 520), (548, 180, 330), (572, 380, 470), (596, 250, 360)):
        pen.line(scaled(x0, y, x1, y), fill=(70, 118, 132), width=4 * zoom)
    pen.polygon(scaled(250, 462, 400, 462, 372, 500, 280, 500), fill=(196, 60, 44))
    pen.polygon(scaled(322, 350, 322, 452, 258, 452), fill=(255, 250, 240))
    pen.polygon(scaled(332, 330, 332, 452, 404, 452), fill=(250, 222, 190))
    mask = Image.new("L", (large, large))
    ImageDraw.Draw(mask).ellipse(scaled(24, 24, side - 24, side - 24), fill=255)
    art.putalpha(mask)
    art = art.resize((side, side), Image.LANCZOS)
    pixels = np.array(art)
    pixels[pixels[..., 3] == 0] = 0
    return Image.fromarray(pixels)


def night(height: int = 540, width: int = 960) -> Image.Image:
    """A town across the water at night: smooth gradients, a glow, small lights, reflections."""
    random = np.random.default_rng(21)
    light = blended((6, 9, 28), (46, 44, 84), height, width)
    shore = 330
    y, x = np.mgrid[0:height, 0:width]
    stars = random.random((height, width)) < 0.0008
    light[stars & (y < shore - 90)] += random.uniform(40, 170)
    moon = np.hypot(x - 720, y - 96)
    light += (np.exp(-moon / 70) * 90)[..., None] * (0.9, 0.92, 1.0)
    light += (np.clip(34 - moon, 0, 1) * 190)[..., None] * (1.0, 0.97, 0.88)
    light += (np.exp(-np.abs(y - shore) / 60.0) * 40)[..., None] * (1.0, 0.6, 0.35)
    left = 0
    while left < width:
        wide, tall = int(random.integers(28, 78)), int(random.integers(40, 190))
        light[shore - tall:shore, left:left + wide] = np.array((13, 14, 30)) + random.uniform(0, 8)
        for top in range(shore - tall + 8, shore - 8, 12):
            for column in range(left + 6, min(left + wide, width) - 8, 11):
                if random.random() < 0.4:
                    warm = np.array(((255, 206, 120), (255, 232, 180), (176, 208, 255))[random.integers(3)])
                    light[top:top + 6, column:column + 5] = warm * random.uniform(0.5, 1)
        left += wide + int(random.integers(0, 7))
    glow = np.asarray(Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(9)))
    light += 0.35 * glow.astype(float)
    depth = height - shore
    ripple = (3.5 * np.sin(0.9 * np.arange(depth)) * np.arange(depth) / depth * 4).astype(int)
    mirror = light[shore - depth:shore][::-1]
    mirror = np.stack([np.roll(row, shift, axis=0) for row, shift in zip(mirror, ripple, strict=True)])
    mirror = (mirror + np.roll(mirror, 2, 0) + np.roll(mirror, 4, 0) + np.roll(mirror, 7, 0)) / 4
    light[shore:] = 0.55 * mirror * np.linspace(1, 0.5, depth)[:, None, None] + (4, 6, 16)
    light += random.standard_normal(light.shape) * 0.6  # keeps 8 bits from banding
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def animation(frames: int = 16, side: int = 256) -> list[Image.Image]:
    """Three discs on one orbit, a loop."""
    pictures = []
    for i in range(frames):
        canvas = Image.fromarray(blended((24, 30, 60), (70, 50, 96), side * 2, side * 2).astype(np.uint8))
        pen = ImageDraw.Draw(canvas)
        pen.ellipse((96, 96, 416, 416), outline=(120, 112, 160), width=3)
        for n, colour in enumerate(((244, 180, 80), (94, 200, 190), (236, 106, 120))):
            angle = 2 * np.pi * (i / frames + n / 3)
            cx, cy, radius = 256 + 160 * np.cos(angle), 256 + 160 * np.sin(angle), 40 + 12 * np.sin(angle)
            pen.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=colour)
        pictures.append(canvas.resize((side, side), Image.LANCZOS))
    return pictures


def photographs() -> None:
    """Public-domain and CC0 photographs, see SOURCES.md; one is stored lying down with EXIF orientation 6."""
    from skimage import data

    Image.fromarray(data.chelsea()).save(HERE / "chelsea.webp", quality=90, method=6)
    Image.fromarray(data.coffee()).save(HERE / "coffee.png", optimize=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn right by a quarter to see it upright
    turned = Image.fromarray(data.rocket()).transpose(Image.Transpose.ROTATE_90)
    turned.save(HERE / "rocket.jpg", quality=90, exif=exif)


if __name__ == "__main__":
    page(sys.argv[1] if len(sys.argv) > 1 else FONT).save(HERE / "page.png", optimize=True)
    illustration().save(HERE / "boat.png", optimize=True)
    night().save(HERE / "night.webp", quality=92, method=6)
    first, *rest = animation()
    first.save(HERE / "orbit.webp", save_all=True, append_images=rest, duration=80, loop=0, quality=85, method=6)
    photographs()
