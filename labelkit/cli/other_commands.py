# SPDX-License-Identifier: Apache-2.0
"""The commands beside those that label and verify: logs, keys, trust lists, signed results, pages, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelkit.cli import shared_options, values
from labelkit.cli.text import _

if TYPE_CHECKING:
    from labelkit.cli.usage import Parser

TRUST_ACTIONS = ("show", "update", "reset")
SHELLS = ("bash", "zsh", "fish")
LOG_ACTIONS = ("verify", "find", "export", "head")


def result(command: Parser) -> None:
    shared_options.about(
        command, _("FILE --jwks KEYS [options]"),
        _("Checks results that verify --sign-result or a service signed. Exit code 0: signed by one of the keys; 1: "
          "not, or about another file; 2: the keys at hand cannot tell."))
    command.add_argument("file", metavar=_("FILE"), help=_("a result, or JSON lines that hold some"))
    command.add_argument("--jwks", metavar=_("FILE"), required=True,
                         help=_("public keys that are believed, as a service shows them at /.well-known/jwks.json"))
    command.add_argument("--content", metavar=_("FILE"), help=_("file that the results must be about"))
    command.add_argument("--time-anchors", metavar="PEM",
                         help=_("roots of time-stamping authorities that are believed; C2PA's list by default"))
    shared_options.json(command, _("one JSON object per line for each result"))


def summary(command: Parser) -> None:
    shared_options.about(
        command, _("JOURNAL [options]"),
        _("Shows what came of the runs of embed that wrote a journal: files, bytes, failures by reason, rate. A file "
          "that failed and was labelled later counts once. Exit code 0: nothing failed; 1: something did; 2: no "
          "answer."))
    command.add_argument("journal", metavar=_("JOURNAL"), help=_("the JSON lines that embed --journal appended"))
    command.add_argument("--report", metavar=_("PAGE"),
                         help=_("write an HTML page about the run: rate, growth, and what failed"))


def log(command: Parser) -> None:
    shared_options.about(
        command, _("verify|find|export|head LOG [WHAT] [options]"),
        _("verify reports tampering; find returns the records of a file, a watermark or a produce id; export writes "
          "all records as JSON lines; head prints number, hash and time of the newest record, to be stored elsewhere. "
          "Exit code 0: intact, or found; 1: tampered with, or not found; 2: no answer."))
    command.add_argument("action", choices=LOG_ACTIONS, metavar="verify|find|export|head", help=_("what to do"))
    command.add_argument("log", metavar=_("LOG"), help=_("SQLite file or postgresql:// address"))
    command.add_argument("what", metavar=_("WHAT"), nargs="?",
                         help=_("for find: a file, 16 hexadecimal digits of a watermark, or a produce id"))
    command.add_argument("--head", metavar=_("NUMBER:HASH:TIME"),
                         help=_("for verify: an earlier head, which reveals a log that was rewritten, and records that "
                                "were removed too early"))
    shared_options.key(command)
    shared_options.json(command, _("one JSON object per line for each record"))


def inspect(command: Parser) -> None:
    shared_options.about(
        command, _("FILE|FOLDER... [options]"),
        _("Shows every slot of metadata, every label, every trace of a generator and every manifest. Exit code 0: all "
          "files were read; 2: one could not be."))
    shared_options.files(command, _("what to inspect"))
    shared_options.json(command, _("one JSON object per line for each file"))


def keygen(command: Parser) -> None:
    shared_options.about(
        command, _("FOLDER --organisation NAME [options]"),
        _("Generates a signer, its root and a watermark key: signer.pem (secret), anchors.pem (for verifiers) and "
          "watermark.key (secret). Never overwrites a file."))
    command.add_argument("folder", metavar=_("FOLDER"), help=_("where to write them"))
    command.add_argument("--organisation", metavar=_("NAME"), required=True,
                         help=_("the name that verifiers will show"))
    command.add_argument("--days", type=values.count, default=1825, metavar="N",
                         help=_("validity of the certificate in days; 1825 by default"))
    command.add_argument("--sm2", action="store_true",
                         help=_("also an SM2 key that signs labels: sm2.pem (secret), sm2.pub.pem (to pin)"))
    command.add_argument("--results", action="store_true",
                         help=_("also a key that signs results: result.pem (secret), result.jwks.json (for those who "
                                "check)"))


def trust(command: Parser) -> None:
    shared_options.about(
        command, _("show|update|reset [LIST...] [options]"),
        _("The trust lists of the C2PA name whose signatures and time-stamps are trusted; labelkit comes with dated "
          "ones. show prints those in use; update replaces them for this user by newer ones, in JSON or PEM as the "
          "C2PA publishes them; reset returns to those that came with labelkit. Exit code 0: done; 2: it could not "
          "be."))
    command.add_argument("action", choices=TRUST_ACTIONS, metavar="show|update|reset", help=_("what to do"))
    command.add_argument("lists", metavar=_("LIST"), nargs="*",
                         help=_("for update: C2PA-TRUST-LIST and C2PA-TSA-TRUST-LIST as JSON, or signers as PEM"))
    command.add_argument("--time-stamps", metavar="PEM", help=_("for update: time-stamping authorities as PEM"))
    shared_options.json(command, _("one line of JSON"))


def page(command: Parser) -> None:
    shared_options.about(
        command, _("OUT [options]"),
        _("Writes a folder of static files, for any web server: labelkit runs in the visitor's browser. The programs "
          "of others that it needs, 27 MB, are fetched once and checked by their hashes. Exit code 0: done; 2: it "
          "could not be."))
    command.add_argument("out", metavar=_("OUT"), help=_("folder to write to"))
    command.add_argument("--kernels", metavar="WASM",
                         help=_("the kernels as WebAssembly, made by native/wasm.py; without them the page takes "
                                "several times as long"))
    command.add_argument("--trust", metavar="PEM",
                         help=_("root certificates of trusted signers; C2PA's trust list by default"))
    command.add_argument("--fetch-from", type=values.words, default=[], metavar=_("LIST"),
                         help=_("servers beside its own, such as https://example.org, from which the page may fetch a "
                                "file that ?url= in its address names, when the visitor clicks"))
    command.add_argument("--result-keys", metavar=_("FILE"),
                         help=_("public keys (JWKS) whose signed results the page believes; others are believed once "
                                "the visitor gives the page their set"))
    command.add_argument("--cache", metavar=_("FOLDER"), help=_("where fetched files are kept"))


def completion(command: Parser) -> None:
    shared_options.about(
        command, "bash|zsh|fish",
        _("Prints a script for the shell. For bash: source <(labelkit completion bash) in ~/.bashrc; for zsh the same "
          "in ~/.zshrc after compinit; for fish: labelkit completion fish > ~/.config/fish/completions/labelkit.fish."))
    command.add_argument("shell", choices=SHELLS, metavar="bash|zsh|fish", help=_("the shell"))
