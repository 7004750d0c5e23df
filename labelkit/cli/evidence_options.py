# SPDX-License-Identifier: Apache-2.0
"""The options of `labelkit evidence`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelkit.choices import EFFORTS, ROBUSTNESS
from labelkit.cli import shared_options, values
from labelkit.cli.text import _
from labelkit.distribution import extra

if TYPE_CHECKING:
    from labelkit.cli.usage import Parser

COUNT = 8


def evidence(command: Parser) -> None:
    shared_options.about(
        command, _("OUT [FILE|FOLDER...] [options]"),
        _("Marks your media as you do, carries out the transformations and attacks that the EU Code of Practice lists "
          "(measures 3.3 and 4.2), and writes evidence.json and evidence.html with rates, fidelity, speed and false "
          "findings. Without files, media that are made by code are tried. A run that was stopped goes on where it "
          "was. Exit code 0: done; 1: something was found that is not there; 2: nothing could be tried."))
    command.add_argument("out", metavar=_("OUT"), help=_("folder to write to"))
    command.add_argument("files", nargs="*", metavar=_("FILE|FOLDER"), help=_("unmarked media to try"))
    command.add_argument("--count", type=values.count, default=COUNT, metavar="N",
                         help=_("media of each kind at most: pictures, sounds, films; 8 by default"))
    mark = command.add_argument_group(_("the watermark"))
    shared_options.key(mark)
    mark.add_argument("--strength", type=float, metavar=_("NUMBER"),
                      help=_("of the watermark, 0.25 to 4; 1 by default"))
    mark.add_argument("--robustness", choices=ROBUSTNESS, metavar=_("CLASS"),
                      help=_("of the watermark: everyday, the default, or hard"))
    mark.add_argument("--effort", choices=EFFORTS, default="normal", metavar=_("EFFORT"),
                      help=_("how thoroughly to search for the watermark: fast, normal or deep"))
    signed = command.add_argument_group(_("the report"))
    signed.add_argument("--sign-result", metavar="PEM",
                        help=_("key that signs the report: labelkit result checks evidence.jws ({extra})").format(
                            extra=extra("service")))
    signed.add_argument("--result-url", metavar="URL", help=_("address of the detector, for signed results"))
    shared_options.ta_url(signed)
    shared_options.json(signed, _("print evidence.json on one line"))
    command.add_argument("--jobs", type=values.count, metavar="N", help=_("media at a time; one per core by default"))
