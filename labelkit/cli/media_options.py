# SPDX-License-Identifier: Apache-2.0
"""The options of `embed` and `serve` about sound and films."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelkit.choices import FILM_CODECS, PLACES, SOUNDS
from labelkit.cli import values
from labelkit.cli.text import _

if TYPE_CHECKING:
    from argparse import _ActionsContainer as Options

    from labelkit.cli.usage import Parser


def add_sound(plan: Options) -> None:
    """How the label of sound and of texts is given, in the group of the layers."""
    plan.add_argument("--sound", choices=SOUNDS, metavar=_("SOUND"),
                      help=_("label of sound: rhythm (AI in Morse code), speech or both; rhythm by default"))
    plan.add_argument("--place", choices=PLACES, metavar=_("PLACE"),
                      help=_("of the label of sound and of texts: start, end, both or middle; start by default"))
    plan.add_argument("--repeat", type=float, dest="repeat_s", metavar=_("SECONDS"),
                      help=_("repeat the label at a pause about every so many seconds, at least 5; 0, the default, for "
                             "no repeat"))
    plan.add_argument("--recording", metavar=_("FILE"),
                      help=_("spoken label, a 16-bit WAV that says --text; the bundled one by default; needs --sound "
                             "speech or both"))


def add_films(command: Parser) -> None:
    """What is asked for of films alone."""
    films = command.add_argument_group(_("films"))
    films.add_argument("--show", type=values.seconds, metavar=_("SECONDS"),
                       help=_("how long the label is shown from the first frame on, 2 or more, or whole; 3 by default"))
    films.add_argument("--soundtrack", type=values.signal_layers, metavar=_("LIST"),
                       help=_("explicit, watermark or both: label the sound track too, which is then re-encoded"))
    films.add_argument("--crf", type=float, metavar=_("NUMBER"),
                       help=_("quality of the encoder; by default visually lossless, 18 for H.264"))
    films.add_argument("--preset", metavar=_("NAME"),
                       help=_("speed of the encoder, such as veryfast; medium by default"))
    films.add_argument("--video-codec", choices=FILM_CODECS, metavar=_("CODEC"),
                       help=_("h264, hevc or av1, or an encoder of a graphics processor such as h264_nvenc; by default "
                              "the codec of the source"))
