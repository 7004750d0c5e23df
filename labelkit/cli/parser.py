# SPDX-License-Identifier: Apache-2.0
"""The commands and their options. Every text is a Message, so it has a Chinese twin."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable

from labelkit.cli.text import HelpFormatter
from labelkit.messages import Message
from labelkit.plan import CORNERS, EDGES, PLACES, SOUNDS

LAYERS = ("explicit", "watermark", "metadata", "provenance")
KINDS = ("generated", "possible", "suspected")
EFFORTS = ("fast", "normal", "deep")
PROFILES = ("gb45438", "eu", "california")
LOG_ACTIONS = ("verify", "find", "export", "head")


class Parser(argparse.ArgumentParser):
    """An argument parser whose help looks the same on every Python and in every window."""

    def __init__(self, **settings: object) -> None:
        super().__init__(formatter_class=HelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> None:
        """Wrong usage: two lines on stderr, exit code 2."""
        hint = argparse._("hint: see {command} --help").format(command=self.prog)
        print(f"{message}\n{hint}", file=sys.stderr)
        sys.exit(2)


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
    for add in (_embed, _verify, _check, _propagate, _inspect, _log, _keygen):
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


def _of_signal(text: str) -> list[str]:
    names = _layers(text)
    if set(names) - {"explicit", "watermark"}:
        raise argparse.ArgumentTypeError(argparse._("layers are some of {layers}, got {got}").format(
            layers="explicit,watermark", got=repr(text)))
    return names


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


_count.__name__ = "count"


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not 1 <= int(part) <= int(parts):
        raise ValueError(text)
    return int(part), int(parts)


_shard.__name__ = "part I/N"


def _files(command: Parser, say: Say, what: Message) -> None:
    command.add_argument("files", nargs="*", metavar="FILE|FOLDER", help=say(what))
    which = command.add_argument_group(say(Message("which files")))
    which.add_argument("--files-from", metavar="LIST",
                       help=say(Message("also the files in this list, one a line; - for the standard input")))
    which.add_argument("--shard", type=_shard, metavar="I/N",
                       help=say(Message("only the I-th of N parts of the files, shared out by their names")))


def _where_to(command: Parser, say: Say) -> None:
    group = command.add_argument_group(say(Message("where to")))
    where = group.add_mutually_exclusive_group(required=True)
    where.add_argument("-o", "--output", metavar="OUT", help=say(Message("file, or folder for several files")))
    where.add_argument("--in-place", action="store_true",
                       help=say(Message("replace the files by their labelled selves")))
    group.add_argument("--resume", action="store_true",
                       help=say(Message("leave out the files whose result is in OUT already")))


def _embed(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "embed", "FILE|FOLDER... -o OUT --producer CODE [options]", Message("label files"),
        Message("Labels files. Of folders every picture, sound and film is taken, and documents too where only "
                "metadata and provenance are asked for; the tree is mirrored under OUT. \"-\" is the standard input or "
                "output; s3://, gs:// and az:// name objects and prefixes of stores. Exit code 0: all labelled; 1: "
                "some file was not; 2: nothing could begin."))
    _files(command, say, Message("what to label"))
    _where_to(command, say)
    label = command.add_argument_group(say(Message("the label")))
    label.add_argument("--producer", metavar="CODE", required=True,
                       help=say(Message("name or 27-character code of the service that generated the content")))
    label.add_argument("--produce-id", metavar="ID",
                       help=say(Message("its unique number for the content; by default a new UUID for every file")))
    label.add_argument("--kind", choices=KINDS, default="generated", metavar="KIND",
                       help=say(Message("generated, possible or suspected; generated by default")))
    label.add_argument("--replace", action="store_true",
                       help=say(Message("replace another producer's label and manifest, else such files are refused")))
    label.add_argument("--sm2-key", metavar="PEM",
                       help=say(Message("SM2 key that signs the label in its reserved code (TC260-PG-202511A)")))
    _plan(command, say)
    _films(command, say)
    _record(command, say)
    _running(command, say)


def _record(command: Parser, say: Say) -> None:
    record = command.add_argument_group(say(Message("the record")))
    record.add_argument("--log", metavar="LOG",
                        help=say(Message("label log, an SQLite file or a postgresql:// address: every label is "
                                         "recorded before the file is put in its place")))
    record.add_argument("--explicit-present", action="store_true",
                        help=say(Message("the content carries its explicit label already; needed for pictures, sounds "
                                         "and films without the explicit layer")))
    record.add_argument("--waive-recipient", metavar="WHO",
                        help=say(Message("leave the explicit label out at this recipient's request (Measures, Article "
                                         "9); needs the agreement and the log")))
    record.add_argument("--waive-agreement", metavar="VERSION",
                        help=say(Message("version of the agreement that fixes the recipient's duty to label")))


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
    _heard(plan, say)
    plan.add_argument("--strength", type=float, metavar="NUMBER",
                      help=say(Message("of the watermark, 0.25 to 4; 1 by default")))
    plan.add_argument("--presence-only", action="store_true",
                      help=say(Message("mark sound that is too short for an id, about 1 to 3 s, so that the mark is "
                                       "found and says no more")))
    plan.add_argument("--key", metavar="FILE",
                      help=say(Message("watermark key; by default the public one, which anybody can read and write")))
    plan.add_argument("--signer", metavar="PEM",
                      help=say(Message("certificate chain and key that sign the manifest, or the pkcs11: URI of a key "
                                       "in a token")))
    plan.add_argument("--ta-url", metavar="URL", help=say(Message("time-stamping authority, asked at every signature")))
    plan.add_argument("--generator", metavar="SYSTEM",
                      help=say(Message("name and version of the system that generated the content, for the manifest")))
    plan.add_argument("--created", type=_moment, metavar="TIME",
                      help=say(Message("when it did, in ISO 8601; by default the time of labelling")))


def _moment(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.astimezone()


_moment.__name__ = "date and time"


def _heard(plan: argparse._ArgumentGroup, say: Say) -> None:
    plan.add_argument("--sound", choices=SOUNDS, metavar="SOUND",
                      help=say(Message("label of sound: rhythm (AI in Morse code), speech or both; rhythm by default")))
    plan.add_argument("--place", choices=PLACES, metavar="PLACE",
                      help=say(Message("of the label of sound: start, end, both or middle; start by default")))
    plan.add_argument("--repeat", type=float, dest="repeat_s", metavar="SECONDS",
                      help=say(Message("again at a pause about every so many seconds, at least 5; 0, the default, for "
                                       "no repeat")))
    plan.add_argument("--recording", metavar="FILE",
                      help=say(Message("spoken label, a WAV of 16 bits that says --text; by default the bundled one, "
                                       "needs --sound speech or both")))


def _films(command: Parser, say: Say) -> None:
    films = command.add_argument_group(say(Message("films")))
    films.add_argument("--show", type=_seconds, metavar="SECONDS",
                       help=say(Message("how long the label is shown from the first frame on, 2 or more, or whole; "
                                        "3 by default")))
    films.add_argument("--soundtrack", type=_of_signal, metavar="LIST",
                       help=say(Message("explicit, watermark or both: put into the sound track too, which is then "
                                        "encoded anew")))
    films.add_argument("--crf", type=float, metavar="NUMBER",
                       help=say(Message("quality of the encoder; by default visually lossless, 18 for H.264")))
    films.add_argument("--preset", metavar="NAME",
                       help=say(Message("speed of the encoder, such as veryfast; medium by default")))


def _seconds(text: str) -> float:
    return float("inf") if text == "whole" else float(text)


_seconds.__name__ = "number of seconds"


def _running(command: Parser, say: Say) -> None:
    running = command.add_argument_group(say(Message("the run")))
    running.add_argument("--no-check", action="store_true",
                         help=say(Message("do not look for the watermark in what was written")))
    _jobs(running, say)


def _jobs(group: argparse._ArgumentGroup, say: Say) -> None:
    group.add_argument("--jobs", type=_count, metavar="N", help=say(Message("files at a time; by default one a core")))
    group.add_argument("--json", action="store_true", help=say(Message("one JSON object a line for each file")))
    group.add_argument("--max-megapixels", type=_count, default=134, metavar="N",
                       help=say(Message("bound of a picture over all its frames, of a film of one frame; 134 by "
                                        "default")))


def _verify(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "verify", "FILE|FOLDER... [options]", Message("say what files say about being AI-generated"),
        Message("Says what files say about being AI-generated, layer by layer, and the verdict (Labeling Measures, "
                "Article 6). Exit code 0: every required layer of every file is valid and uncontradicted; 1: one is "
                "not; 2: one could not be checked."))
    _files(command, say, Message("what to verify"))
    checks = command.add_argument_group(say(Message("the checks")))
    checks.add_argument("--require", type=_layers, default=["metadata"], metavar="LIST",
                        help=say(Message("layers that must be valid; metadata by default")))
    checks.add_argument("--layers", type=_layers, default=list(LAYERS), metavar="LIST",
                        help=say(Message("layers to check; all by default")))
    _ocr(checks, say)
    _checks(checks, say)
    _jobs(command.add_argument_group(say(Message("the run"))), say)


def _ocr(checks: argparse._ArgumentGroup, say: Say) -> None:
    checks.add_argument("--ocr", action="store_true",
                        help=say(Message("read explicit labels in any font (labelkit[ocr]); check does it by itself")))


def _checks(checks: argparse._ArgumentGroup, say: Say) -> None:
    checks.add_argument("--key", metavar="FILE", help=say(Message("watermark key; the public one by default")))
    checks.add_argument("--trust", metavar="PEM", help=say(Message("roots that are trusted to sign")))
    checks.add_argument("--sm2-pin", metavar="PEM",
                        help=say(Message("SM2 public keys known to be the producers', for signatures in labels")))
    checks.add_argument("--effort", choices=EFFORTS, default="normal", metavar="EFFORT",
                        help=say(Message("how far to search for the watermark: fast, normal or deep")))


def _check(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "check", "FILE|FOLDER... [options]", Message("judge files by the rules of a jurisdiction"),
        Message("Judges files rule by rule, each with its clause, what was found, and pass, fail or cannot tell. Exit "
                "code 0: every rule passed; 1: one failed; 2: none failed, and one could not be told."))
    _files(command, say, Message("what to judge"))
    rules = command.add_argument_group(say(Message("the rules")))
    rules.add_argument("--profile", choices=PROFILES, default="gb45438", metavar="PROFILE",
                       help=say(Message("gb45438, eu (Code of Practice) or california (SB 942); gb45438 by default")))
    rules.add_argument("--html", metavar="PAGE", help=say(Message("write one file's report as a page to hand over")))
    command.set_defaults(ocr=None)  # where it is installed
    rules.add_argument("--log", metavar="LOG",
                       help=say(Message("label log: a record in it may say that the explicit label was waived")))
    _checks(command.add_argument_group(say(Message("the checks"))), say)
    _jobs(command.add_argument_group(say(Message("the run"))), say)


def _propagate(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "propagate", "FILE|FOLDER... -o OUT --propagator CODE [options]",
        Message("label files that users hand in, as a platform must"),
        Message("Verifies files that users hand in, says which notice to show (Labeling Measures, Article 6), and "
                "writes the platform's fields beside the producer's. A label that cannot be relied on is reported and "
                "not overwritten. Exit code 0: all done, also where nothing is owed; 1: some label is in doubt, or "
                "some file was not written; 2: nothing could begin."))
    _files(command, say, Message("what users handed in"))
    _where_to(command, say)
    label = command.add_argument_group(say(Message("the label")))
    label.add_argument("--propagator", metavar="CODE", required=True,
                       help=say(Message("name or 27-character code of the platform")))
    label.add_argument("--propagate-id", metavar="ID", help=say(Message(
        "the platform's unique number for the content; by default a new UUID for every file")))
    label.add_argument("--declared", action="store_true",
                       help=say(Message("the user declares the content as AI-generated")))
    label.add_argument("--sm2-key", metavar="PEM",
                       help=say(Message("SM2 key that signs the platform's fields in ReservedCode2, in a form of our "
                                        "own: the standard's is not published")))
    label.add_argument("--signer", metavar="PEM",
                       help=say(Message("certificate chain and key that sign a new manifest over the old one; needed "
                                        "for files that have a manifest")))
    label.add_argument("--ta-url", metavar="URL",
                       help=say(Message("time-stamping authority, asked at every signature")))
    checks = command.add_argument_group(say(Message("the checks")))
    _ocr(checks, say)
    _checks(checks, say)
    _jobs(command.add_argument_group(say(Message("the run"))), say)


def _log(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "log", "verify|find|export|head LOG [WHAT] [options]", Message("search and audit a label log"),
        Message("verify finds what was tampered with; find leads from a file, a watermark or a produce id to its "
                "records; export writes all records as JSON lines; head prints number and hash of the newest record, "
                "to be kept elsewhere. Exit code 0: intact, or found; 1: tampered with, or not found; 2: no answer."))
    command.add_argument("action", choices=LOG_ACTIONS, metavar="verify|find|export|head",
                         help=say(Message("what to do")))
    command.add_argument("log", metavar="LOG", help=say(Message("SQLite file or postgresql:// address")))
    command.add_argument("what", metavar="WHAT", nargs="?",
                         help=say(Message("for find: a file, 16 hexadecimal digits of a watermark, or a produce id")))
    command.add_argument("--head", metavar="NUMBER:HASH",
                         help=say(Message("for verify: a head from earlier, which finds a log that was made anew")))
    command.add_argument("--key", metavar="FILE", help=say(Message("watermark key; the public one by default")))
    command.add_argument("--json", action="store_true", help=say(Message("one JSON object a line for each record")))


def _inspect(commands: argparse._SubParsersAction, say: Say) -> None:
    command = _command(
        commands, say, "inspect", "FILE|FOLDER... [options]",
        Message("show everything label-like in files, with offsets"),
        Message("Shows every slot of metadata, every label and trace of a generator, every manifest. Exit code 0: "
                "all files were read; 2: one could not be."))
    _files(command, say, Message("what to inspect"))
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
    command.add_argument("--sm2", action="store_true",
                         help=say(Message("also an SM2 key that signs labels: sm2.pem (secret), sm2.pub.pem (to pin)")))
