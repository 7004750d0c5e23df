# SPDX-License-Identifier: Apache-2.0
"""HEIC: libheif decodes (extra `heif`), x265 encodes through PyAV (extra `video`).

The wheels of pi-heif, which the extra installs, hold libheif and libde265 (LGPL 3.0) and nothing under the GPL; 1.4.0
is its last release. Those of pillow-heif, which goes on, hold x265 (GPL 2.0) too, as PyAV's do: where somebody has
installed it, it is used, for its newer libheif.

All else of the file stays: gain map, depth, profiles, Exif (`labelkit.container.heifpicture`). Pictures of 10 and 12
bits stay so. Chroma is halved both ways, as in HEIC of cameras: many players show no other.
"""

from __future__ import annotations

import importlib
import io
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from labelkit.codec import hdr
from labelkit.codec.backends import PICTURE, pyav, translated
from labelkit.codec.samples import Pixels
from labelkit.container import Reader, bmff, heifpicture, mp4tracks
from labelkit.distribution import install_hint
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat

if TYPE_CHECKING:
    from av.video.stream import VideoStream

_ROWS = 256
_LEAST = 64  # pixels of a side that x265 codes
_CRF = "17"  # 46 to 54 dB of the decoded source in photographs of phones, at 1.1 to 1.3 times its bytes
_BT601, _UNSAID = 6, 2  # matrices of H.273
_LUMA = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087),
         9: (0.2627, 0.0593)}  # of red and blue, by the matrix


@dataclass(frozen=True, slots=True)
class _Description:
    """Primaries, transfer and matrix as H.273 numbers them, and whether black is 0 and white the largest value."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool

    @property
    def usable_matrix(self) -> int:
        """The matrix, that of HEIC's writers where none is said."""
        return _BT601 if self.matrix == _UNSAID else self.matrix


def decode(data: bytes, name: str, max_pixels: int) -> tuple[tuple[Pixels, ...], str]:
    """The pictures in a file, the primary one first, upright: uint8, or uint16 for more bits, of which the upper ones
    are used; [height, width] or [height, width, 3 or 4]. And the transfer of the first: "sdr", "pq" or "hlg".

    Raises UnsupportedFormat without the extra, MalformedFile, LimitExceeded.
    """
    with translated(name, PICTURE):
        file = _opened(data, name)
        pictures = sorted(file, key=lambda one: not one.info["primary"])
        if not pictures:
            raise MalformedFile("{where}: there is no picture in it", where=name)
        pixels = sum(one.size[0] * one.size[1] for one in pictures)
        if pixels > max_pixels:
            raise LimitExceeded("{where}: {frames} frames of {width}x{height}, at most {limit} megapixels in all are "
                                "decoded", where=name, frames=len(pictures), width=pictures[0].size[0],
                                height=pictures[0].size[1], limit=max_pixels // 1_000_000)
        frames = tuple(np.array(one) for one in pictures)  # copies: the memory goes with `file`
        return frames, _transfer(Reader.of(data, name))


def _transfer(reader: Reader) -> str:
    try:
        said = heifpicture.colours(reader)
    except LabelkitError:  # libheif reads more than is written here
        return "sdr"
    return hdr.TRANSFERS.get(said[1], "sdr") if said else "sdr"


def encode(data: bytes, frames: tuple[Pixels, ...], name: str) -> bytes:
    """The file `data` with these pixels, one picture as `decode` gives it; raises UnsupportedFormat, MalformedFile."""
    reader = Reader.of(data, name)
    bits = _opened(data, name)[0].info["bit_depth"]
    if len(frames) > 1:
        raise UnsupportedFormat("{where}: a HEIC of {count} pictures is not written", where=name, count=len(frames),
                                hint="write the metadata alone, or make a file of each")
    if frames[0].ndim == 3 and frames[0].shape[2] == 4:
        raise UnsupportedFormat("{where}: a HEIC with transparency is not written", where=name, other="PNG",
                                hint="write the metadata alone, or convert it to {other}")
    return heifpicture.with_primary(reader, _coded(_turned_back(frames[0], heifpicture.turns(reader)), bits,
                                                   _description(reader), name))


def _turned_back(pixels: Pixels, turns: list[tuple[str, int]]) -> Pixels:
    """The pixels as they are stored, of those that are shown."""
    for kind, value in reversed(turns):
        pixels = np.rot90(pixels, -value) if kind == "irot" else pixels[:, ::-1] if value else pixels[::-1]
    return pixels


def _description(reader: Reader) -> _Description:
    """What the file says of its colours; raises UnsupportedFormat for such that are not made here."""
    found = _Description(*(heifpicture.colours(reader) or (_UNSAID, _UNSAID, _UNSAID, True)))
    if found.matrix not in (*_LUMA, _UNSAID):
        raise UnsupportedFormat("{where}: a HEIC whose colours have the matrix {matrix} of H.273 is not written",
                                where=reader.name, matrix=found.matrix, other="JPEG",
                                hint="write the metadata alone, or convert it to {other}")
    return found


def _opened(data: bytes, name: str) -> Any:
    for library in ("pillow_heif", "pi_heif"):
        with suppress(ImportError):
            return importlib.import_module(library).open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    raise UnsupportedFormat("{where}: {format} files have no samples that this installation can decode",
                            where=name, format="heic", install=install_hint("heif"),
                            hint="{install}, or leave the signal layers out of the plan")


def _coded(pixels: Pixels, bits: int, said: _Description, name: str) -> heifpicture.Coded:
    """A picture as HEVC."""
    av, made = pyav(name, "heic"), io.BytesIO()
    height, width = pixels.shape[:2]
    size = [max(_LEAST, side + side % 2) for side in (width, height)]
    pixels = np.pad(pixels, ((0, size[1] - height), (0, size[0] - width), *[(0, 0)] * (pixels.ndim - 2)), "edge")
    frame = av.VideoFrame(*size, "yuv420p" if bits == 8 else f"yuv420p{bits}le")
    _fill([np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16).reshape(plane.height, -1)[:, :plane.width]
           for plane in frame.planes], pixels, bits, said)
    frame.pts = 0
    with translated(name, PICTURE), av.open(made, "w", format="mp4") as out:
        stream = cast("VideoStream", out.add_stream("libx265", rate=1))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt, context.codec_tag = *size, frame.format.name, "hvc1"
        context.color_range, context.colorspace = 2 if said.full_range else 1, said.usable_matrix
        context.color_primaries, context.color_trc = said.primaries, said.transfer
        context.options = {"crf": _CRF, "preset": "medium", "x265-params": "log-level=none:info=0:keyint=1:bframes=0"}
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    film = Reader.of(made.getvalue(), name)
    entry = next(mp4tracks.sample_entries(film))
    at = entry.index(b"hvcC", mp4tracks.VISUAL_ENTRY)
    media = next(box for box in bmff.boxes(film, 0, film.size) if box.kind == b"mdat")
    return heifpicture.Coded(film.at(media.body, media.end - media.body, "picture", film.size),
                             entry[at + 4:at - 4 + int.from_bytes(entry[at - 4:at])], bits, (size[0], size[1]),
                             (width, height))


def _fill(planes: list[npt.NDArray[Any]], pixels: Pixels, bits: int, said: _Description) -> None:
    """Fill the planes Y, Cb and Cr, the latter halved both ways (H.273, 8.3), some rows at a time."""
    red, blue = _LUMA[said.usable_matrix]
    white = 255 if pixels.dtype == np.uint8 else ((1 << bits) - 1) << 16 - bits
    top = (1 << bits) - 1
    unit = top / 255 if said.full_range else 1 << bits - 8
    scale, offset, depth = ((255, 0, 255) if said.full_range else (219, 16, 224))
    for at in range(0, len(pixels), _ROWS):
        part = np.minimum(pixels[at:at + _ROWS].astype(np.float32) / white, 1)
        r, g, b = (part[..., i] for i in range(3)) if part.ndim == 3 else (part, part, part)
        luma = red * r + (1 - red - blue) * g + blue * b
        planes[0][at:at + _ROWS] = np.rint((luma * scale + offset) * unit)
        for plane, colour, weight in ((planes[1], b, blue), (planes[2], r, red)):
            difference = (colour - luma) / (2 * (1 - weight))
            halved = difference.reshape(len(part) // 2, 2, -1, 2).mean((1, 3))
            plane[at // 2:(at + _ROWS) // 2] = np.clip(np.rint(halved * depth * unit + (1 << bits - 1)), 0, top)
