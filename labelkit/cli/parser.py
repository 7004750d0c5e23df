# SPDX-License-Identifier: Apache-2.0
"""The commands and their options. Every text is a Message, so it has a Chinese twin."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from labelkit.messages import Message
from labelkit.plan import CORNERS, EDGES

LAYERS = ("explicit", "watermark", "metadata", "provenance")
KINDS = ("generated", "possible", "suspected")
EFFORTS = ("fast", "normal", "deep")


class Parser(argparse.ArgumentParser):
    """An argument parser whose help looks the same on every Python and in every window."""

    def __init__(self, **settings: object) -> None:
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> None:
        """Wrong usage: two lines on stderr, exit code 2."""
        hint = argparse._("hint: see {command} --help").format(command=self.prog)
        print(f"{message}\n{hint}", file=sys.stderr)
        sys.exit(2)


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=27, width=110)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {self._format_args(action, action.dest.upper())}"


def build(language: str) -> Parser:
    """The parser of the whole command line, its texts in `language`."""

    def say(text: Message) -> str:
        return text.text(language).replace("%", "%%")

    root = Parser(prog="labelkit", usage="labelkit COMMAND ...", add_help=False,
                  description=say(Message("Labels AI-generated media as GB 45438-2025 asks, and verifies the labels of "
                                          "any file.")),
                  epilog=say(Message("Options can also stand in labelkit.toml (producer = \"...\") or in the "
                                     "environment (LABELKIT_PRODUCER).")))
    _common(root, say)
    root.add_argument("--version", action=_ShowVersion, nargs=0, help=say(Message("show the version and exit")))
    commands = root.add_subparsers(dest="command", title=say(Message("commands")), metavar="COMMAND",
                                   parser_class=Parser)
    for add in (_embed, _verify, _inspect, _keygen):
        add(commands, say)
    return root


class _ShowVersion(argparse.Action):
    """Looks the version up only when it is asked for: that costs more than all the rest of the start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import importlib.metadata
        try:
            print("labelkit", importlib.metadata.version("labelkit"))
        except importlib.metadata.PackageNotFoundError:
            print("labelkit", argparse._("(run from its folder, not installed)"))
        parser.exit()


Say = Callable[[Message], str]


def _command(commands: argparse._SubParsersAction, say: Say, name: str, arguments: str, what: Message,
             more: Message) -> Parser:
    command = commands.add_parser(name, prog=f"labelkit {name}", usage=f"labelkit {name} {arguments}", help=say(what),
                                  add_help=False, description=say(more))
    _common(command, say)
    return command


def _common(command: Parser, say: Say) -> None:
    command.add_argument("-h", "--help", action="help", help=say(Message("show this help and exit")))
    command.add_argument("--lang", metavar="LANG", choices=("en", "zh-CN", "zh"),
                         help=say(Message("en or zh-CN; by default as the locale says")))


def _layers(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(LAYERS):
        raise argparse.ArgumentTypeError(argparse._("layers are some of {layers}, got {got}").format(
            layers=",".join(LAYERS), got=repr(text)))
    return names


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


_count.__name__ = "count"


def _embed(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "embed", "FILE|FOLDER... -o OUT --producer CODE [options]", Message("label files"),
        Message("Labels files. Of folders every picture, sound and film is taken, and documents too where only "
                "metadata and provenance are asked for; the tree is mirrored under OUT. \"-\" is the standard input or "
                "output. Exit code 0: all labelled; 1: some file was not; 2: nothing could begin."))
    command.add_argument("files", nargs="+", metavar="FILE|FOLDER", help=say(Message("what to label")))
    where = command.add_argument_group(say(Message("where to"))).add_mutually_exclusive_group(required=True)
    where.add_argument("-o", "--output", metavar="OUT", help=say(Message("file, or folder for several files")))
    where.add_argument("--in-place", action="store_true",
                       help=say(Message("replace the files by their labelled selves")))
    label = command.add_argument_group(say(Message("the label")))
    label.add_argument("--producer", metavar="CODE", required=True,
                       help=say(Message("name or 27-character code of the service that generated the content")))
    label.add_argument("--produce-id", metavar="ID",
                       help=say(Message("its unique number for the content; by default a new UUID for every file")))
    label.add_argument("--kind", choices=KINDS, default="generated", metavar="KIND",
                       help=say(Message("generated, possible or suspected; generated by default")))
    label.add_argument("--replace", action="store_true",
                       help=say(Message("replace another producer's label and manifest, else such files are refused")))
    _plan(command, say)
    _running(command, say)


def _plan(command: Parser, say: Say) -> None:
    plan = command.add_argument_group(say(Message("the layers")))
    plan.add_argument("--layers", type=_layers, metavar="LIST",
                      help=say(Message("some of explicit,watermark,metadata,provenance; by default all, the last where "
                                       "a signer is given")))
    plan.add_argument("--text", help=say(Message("of the explicit label; AI生成 by default")))
    plan.add_argument("--corner", choices=CORNERS + EDGES, metavar="PLACE",
                      help=say(Message("corner or edge: {places}", places=", ".join(CORNERS + EDGES))))
    plan.add_argument("--height", type=float, metavar="SHARE",
                      help=say(Message("height of the text as a share of the shortest side; 0.05, the legal floor")))
    plan.add_argument("--style", choices=("text", "icon"), help=say(Message("text, or the AI corner mark before it")),
                      metavar="STYLE")
    plan.add_argument("--border", action="store_true",
                      help=say(Message("put the text in a strip outside the picture")))
    plan.add_argument("--font", metavar="FILE", help=say(Message("font file; by default the bundled one")))
    plan.add_argument("--strength", type=float, metavar="NUMBER",
                      help=say(Message("of the watermark, 0.25 to 4; 1 by default")))
    plan.add_argument("--key", metavar="FILE",
                      help=say(Message("watermark key; by default the public one, which anybody can read and write")))
    plan.add_argument("--signer", metavar="PEM", help=say(Message("certificate chain and key that sign the manifest")))
    plan.add_argument("--ta-url", metavar="URL", help=say(Message("time-stamping authority, asked at every signature")))


def _running(command: Parser, say: Say) -> None:
    running = command.add_argument_group(say(Message("the run")))
    running.add_argument("--no-check", action="store_true",
                         help=say(Message("do not look for the watermark in what was written")))
    _jobs(running, say)


def _jobs(group: argparse._ArgumentGroup, say: Say) -> None:
    group.add_argument("--jobs", type=_count, metavar="N", help=say(Message("files at a time; by default one a core")))
    group.add_argument("--json", action="store_true", help=say(Message("one JSON object a line for each file")))
    group.add_argument("--max-megapixels", type=_count, default=134, metavar="N",
                       help=say(Message("bound of a picture over all its frames; 134 by default")))


def _verify(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "verify", "FILE|FOLDER... [options]", Message("say what files say about being AI-generated"),
        Message("Says what files say about being AI-generated, layer by layer, and the verdict (Labeling Measures, "
                "Article 6). Exit code 0: every required layer of every file is valid and uncontradicted; 1: one is "
                "not; 2: one could not be checked."))
    command.add_argument("files", nargs="+", metavar="FILE|FOLDER", help=say(Message("what to verify")))
    checks = command.add_argument_group(say(Message("the checks")))
    checks.add_argument("--require", type=_layers, default=["metadata"], metavar="LIST",
                        help=say(Message("layers that must be valid; metadata by default")))
    checks.add_argument("--layers", type=_layers, default=list(LAYERS), metavar="LIST",
                        help=say(Message("layers to check; all by default")))
    checks.add_argument("--key", metavar="FILE", help=say(Message("watermark key; the public one by default")))
    checks.add_argument("--trust", metavar="PEM", help=say(Message("roots that are trusted to sign")))
    checks.add_argument("--effort", choices=EFFORTS, default="normal", metavar="EFFORT",
                        help=say(Message("how far to search for the watermark: fast, normal or deep")))
    _jobs(command.add_argument_group(say(Message("the run"))), say)


def _inspect(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "inspect", "FILE... [options]", Message("show everything label-like in files, with offsets"),
        Message("Shows every slot of metadata, every label and trace of a generator, every manifest. Exit code 0: "
                "all files were read; 2: one could not be."))
    command.add_argument("files", nargs="+", metavar="FILE", help=say(Message("what to inspect")))
    command.add_argument("--json", action="store_true", help=say(Message("one JSON object a line for each file")))


def _keygen(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "keygen", "FOLDER --organisation NAME [options]",
        Message("make a signer, its root and a watermark key"),
        Message("Makes a signer, its root and a watermark key: signer.pem (secret), anchors.pem (for verifiers) and "
                "watermark.key (secret). Never overwrites."))
    command.add_argument("folder", metavar="FOLDER", help=say(Message("where to put them")))
    command.add_argument("--organisation", metavar="NAME", required=True,
                         help=say(Message("the name that verifiers will show")))
    command.add_argument("--days", type=_count, default=1825, metavar="N",
                         help=say(Message("how long the certificate is valid; 1825 by default")))
