# SPDX-License-Identifier: Apache-2.0
"""Films whose frames carry what PyAV does not know: the Exif in frames of MJPEG, as cameras write it."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit.codec import decode, hdr
from labelkit.errors import UnsupportedFormat
from tests.films import film
from tests.media import LABEL, photo

PLAN = lk.Plan(metadata=False)


def by_a_camera(path: Path, orientation: int) -> Path:
    """A film of MJPEG whose frames have Exif, or none for an orientation of 0."""
    exif = Image.Exif()
    if orientation:
        exif.update({0x010F: "Camera", 0x0112: orientation})
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=15)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for index in range(30):
            frame = io.BytesIO()
            Image.fromarray(np.roll(photo(240, 320), index, 1)).save(frame, "JPEG", quality=90, exif=exif)
            packet = av.Packet(frame.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 15)
            out.mux(packet)
    return path


@pytest.mark.parametrize("ending, orientation", [("avi", 0), ("avi", 1), ("mov", 0), ("mov", 1), ("mov", 3), ("mov", 6),
                                                 ("mov", 8)])
def test_films_with_exif_in_their_frames_are_labelled_the_right_way_up(tmp_path, ending, orientation):
    source = by_a_camera(tmp_path / f"in.{ending}", orientation)
    swaps, turn = {3: (False, 180), 6: (True, -90), 8: (True, 90)}.get(orientation, (False, 0))
    assert decode(str(source)).format.orientation.swap is swaps
    assert lk.verify(source).verdict is lk.Verdict.NONE
    made = lk.embed(source, tmp_path / f"out.{ending}", LABEL, plan=PLAN)
    report = lk.verify(made)
    assert [report[layer].status for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK)] == [lk.Status.VALID] * 2
    with av.open(str(made)) as out:
        assert (next(out.decode(video=0)).rotation - turn) % 360 == 0


def test_a_turn_that_avi_could_not_say_anew_is_refused(tmp_path):
    source = by_a_camera(tmp_path / "in.avi", 6)
    assert lk.verify(source).verdict is lk.Verdict.NONE
    with pytest.raises(UnsupportedFormat, match="how they are turned"):
        lk.embed(source, tmp_path / "out.avi", LABEL, plan=PLAN)
    assert not (tmp_path / "out.avi").exists()
    lk.embed(source, tmp_path / "out.avi", LABEL, plan=lk.Plan(explicit=None, watermark=None))


def test_what_is_not_known_of_an_hdr_film_may_be_hdr(tmp_path):
    path = str(film(tmp_path / "film.mp4", size=(320, 240), count=2))

    class Unknown:
        """A frame beside which a kind lies that PyAV does not know."""

        rotation = 0

        def __init__(self, transfer: int) -> None:
            self.color_trc = transfer

        @property
        def side_data(self) -> None:
            raise ValueError("31 is not a valid Type")

    stream = SimpleNamespace(codec_context=None)
    with pytest.raises(UnsupportedFormat, match="HDR10"):
        hdr.settings(hdr.side_data(Unknown(16), stream), "libx265", path)
    assert hdr.settings(hdr.side_data(Unknown(1), stream), "libx264", path) == []
    assert hdr.display_matrix(Unknown(1)) is None
