# SPDX-License-Identifier: Apache-2.0
"""The HTML of the verify page: its frame, and every text that its scripts show, in both languages.

The first policy lets the page load its own files, and one that its address names, if the visitor wants it and the page
was built for that server (verify/address.js). Once they are there, the scripts add the second (verify/load.js),
and the worker that sees the files is made under both: neither it nor the page can open a connection any more.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import NamedTuple

from labelkit.distribution import __version__
from labelkit.messages import Message
from labelkit.page.markup import bilingual, bilingual_attribute, escaped, language_switch
from labelkit.page.render import VERDICTS

POLICY = ("default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; "
          "connect-src {origins}; img-src 'self' blob: data:; media-src blob:; style-src 'self'; font-src 'self'; "
          "manifest-src 'self'; base-uri 'none'; form-action 'none'")
SEALED = ("default-src 'none'; script-src blob: 'wasm-unsafe-eval'; worker-src blob:; connect-src 'none'; "
          "img-src blob: data:; media-src blob:; style-src 'none'; font-src 'none'; base-uri 'none'; "
          "form-action 'none'")

_TITLE = Message("Verify AI labels")
_TEXTS = {
    "loading": Message("Loading the verifier"),
    "starting": Message("Starting the verifier"),
    "ready": Message("Ready. From now on this page can open no connection."),
    "failed": Message("The verifier could not be loaded. Reload the page to try again"),
    "asking": Message("Loaded. The address of this page names a file"),
    "unfetched": Message("The file could not be fetched. Download it and choose it here"),
    "waiting": Message("Waiting for the verifier"),
    "look": Message("Reading the file"),
    "media": Message("Decoding sound or film"),
    "file": Message("Reading labels and manifest"),
    "decode": Message("Decoding"),
    "search": Message("Searching for the watermark and the explicit label"),
    "cancelled": Message("Cancelled"),
    "unreadable": Message("The file cannot be read"),
    "cancel": Message("Cancel"),
    "remove": Message("Remove"),
    "json": Message("Report as JSON"),
    "print": Message("Report to print (HTML)"),
    "seen": Message("The explicit label is outlined."),
    "unseen": Message("No explicit label was seen."),
    "marked": Message("The watermark in time"),
    "result-holds": Message("Signed result"),
    "result-refused": Message("NOT to be believed"),
    "result-why": Message("Why"),
    "result-malformed": Message("it is no result of a form that is known here"),
    "result-unknown": Message("none of the keys here is the one that it names; drop the signer's set of keys (JWKS)"),
    "result-broken": Message("the signature does not hold"),
    "result-future": Message("it is dated in the future"),
    "result-key": Message("Signed by the key"),
    "result-own": Message("of those who run this page"),
    "result-given": Message("from the file that you gave"),
    "result-content": Message("About the content"),
    "result-fits": Message("which is that of"),
    "result-other": Message("which is NOT that of a file here"),
    "result-alone": Message("to be compared with a file: drop it too"),
    "result-verdict": Message("Verdict that was signed"),
    "result-because": Message("Because"),
    "result-detector": Message("Detector"),
    "result-time": Message("Time"),
    "result-stated": Message("as its signer says"),
    "result-stamped": Message("as its signer says; it has a time-stamp, which `labelkit result` checks"),
    **{f"verdict-{verdict.value}": shown for verdict, shown in VERDICTS.items()},
}


class Loaded(NamedTuple):
    """A file that the scripts load: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: bytes


def page(loaded: Sequence[Loaded], small: Sequence[str], version: str, language: str,
         origins: Sequence[str] = ()) -> str:
    """index.html; `language` is shown where the browser names neither.

    small    the names of the other files, which are kept for use offline too
    version  of all files together
    origins  beside its own, from which the page may fetch a file that ?url= names
    """
    policy = POLICY.format(origins=" ".join(["'self'", *origins]))
    switches, labels = language_switch(language)
    intro = Message("Does a picture, sound, film or document say that AI made it? It is looked at in this browser and "
                    "sent nowhere.")
    closing = Message("labelkit {version}, open source under Apache-2.0.", version=__version__)
    templates = "".join(f'<template id="text-{name}">{bilingual(text)}</template>\n' for name, text in _TEXTS.items())
    files = [{"name": file.name, "bytes": file.size,
              "integrity": f"sha256-{base64.b64encode(file.sha256).decode('ascii')}"} for file in loaded]
    facts = json.dumps({"files": files, "small": ["index.html", *small], "version": version, "sealed": SEALED})
    return (f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="referrer" content="no-referrer">\n'
            f'<title>{bilingual_attribute(_TITLE)}</title>\n<link rel="stylesheet" href="style.css">\n'
            '<link rel="stylesheet" href="verify.css">\n<link rel="manifest" href="app.webmanifest">\n'
            '<link rel="icon" href="icon.svg" type="image/svg+xml">\n'
            f'<script type="application/json" id="facts">{facts}</script>\n'
            '<script type="module" src="app.js"></script>\n</head>\n'
            f'<body>\n{switches}\n<header><div><h1>{bilingual(_TITLE)}</h1><p>{bilingual(intro)}</p></div>{labels}'
            f'</header>\n<main>\n{_entrance()}<div id="cards"></div>\n</main>\n'
            f'<footer><p>{bilingual(closing)} <a href="licences.txt">{bilingual(Message("Licences"))}</a></p>'
            '</footer>\n'
            f'{templates}</body>\n</html>\n')


def _entrance() -> str:
    """Where files come in, and what the verifier is doing."""
    script = Message("This page needs JavaScript: the verifier runs in it.")
    drop = Message("or drop files here, or paste a picture")
    return (f'<noscript><p>{bilingual(script)}</p></noscript>\n'
            f'<section id="drop" aria-label="{bilingual_attribute(Message("Files to verify"))}">\n'
            '<p class="choices"><input type="file" id="files" multiple>'
            f'<label class="button" for="files">{bilingual(Message("Choose files"))}</label> '
            '<input type="file" id="folder" webkitdirectory>'
            f'<label class="button quiet" for="folder">{bilingual(Message("Choose a folder"))}</label></p>\n'
            f'<p class="soft">{bilingual(drop)}</p>\n</section>\n'
            '<p id="state" role="status" data-state="loading"></p>\n'
            f'<progress id="loaded" max="1" value="0" aria-label="{bilingual_attribute(_TEXTS["loading"])}">'
            f'</progress>\n{_offer()}<p id="said" role="status"></p>\n')


def _offer() -> str:
    """Whether to fetch the file that the page's address names."""
    warning = Message("Its server learns that you ask for it. After that the page forbids itself all connections.")
    return ('<section id="offer" hidden><p><code id="asked"></code></p>'
            f'<p class="soft">{bilingual(warning)}</p><p class="choices"><button type="button" class="button">'
            f'{bilingual(Message("Fetch and verify"))}</button> <button type="button" class="button quiet">'
            f'{bilingual(Message("Do not fetch"))}</button></p></section>\n<p id="unfetched" role="alert"></p>\n')
