# SPDX-License-Identifier: Apache-2.0
"""The commands. Every text goes through `_`, which translates it into the language of the run."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from labelkit.cli.text import _
from labelkit.cli.usage import Parser
from labelkit.distribution import __version__

_ROOMS = {"evidence": "evidence_options"} | dict.fromkeys(
    ("embed", "verify", "check", "propagate", "serve", "mcp"), "main_commands")
"""Where the options of a command are declared, if not in other_commands: by a function of the command's name."""


def build(words: Sequence[str] | None = None) -> Parser:
    """The parser of the whole command line, in the language of `text.argparse_in`.

    words  the command line: only the commands that it may mean get their options, which takes a few milliseconds less;
           by default all get them
    """
    root = Parser(prog="labelkit", usage=f"labelkit {_('COMMAND ...')}",
                  description=_("Labels AI-generated media as GB 45438-2025 requires, and verifies the labels of any "
                                "file."),
                  epilog=_("Options can also be set in a settings file (producer = \"...\") or in the environment "
                           "(LABELKIT_PRODUCER)."))
    root.add_argument("--version", action="version", version=f"labelkit {__version__}",
                      help=_("show the version and exit"))
    commands = root.add_subparsers(dest="command", title=_("commands"), metavar=_("COMMAND"), parser_class=Parser)
    for name, summary in _summaries().items():
        wanted = words is None or name in words
        command = commands.add_parser(name, prog=f"labelkit {name}", help=summary, bare=not wanted)
        if wanted:
            room = importlib.import_module(f"labelkit.cli.{_ROOMS.get(name, 'other_commands')}")
            getattr(room, name)(command)
    return root


def _summaries() -> dict[str, str]:
    return {
        "embed": _("label files"),
        "verify": _("report whether files are labelled as AI-generated"),
        "check": _("judge files by the rules of a jurisdiction"),
        "propagate": _("label files that users upload, as a platform must"),
        "inspect": _("show all metadata, labels and manifests in files, with offsets"),
        "summary": _("show what came of a run, from its journal"),
        "result": _("check signed results"),
        "evidence": _("try your watermark on your media, and report it"),
        "serve": _("verify, check, label and propagate over HTTP"),
        "mcp": _("offer tools to assistants, by the Model Context Protocol"),
        "log": _("search and audit a label log"),
        "keygen": _("generate a signer, its root and a watermark key"),
        "trust": _("show or replace the trust lists of the C2PA"),
        "page": _("build a web page that verifies files and sends them nowhere"),
        "completion": _("print a script that completes commands and options in a shell"),
    }
