# SPDX-License-Identifier: Apache-2.0
"""What to run so that a rule passes: one line for each rule."""

from __future__ import annotations

from labelkit.compliance import Outcome, Result
from labelkit.messages import Message

_EMBED = Message("label the content as it was before: labelkit embed FILE -o OUT --producer CODE")
_METADATA = Message("write the label anew: labelkit embed FILE -o OUT --producer CODE --replace --layers metadata")
_SIGN = Message("sign it: labelkit keygen FOLDER, then labelkit embed ... --signer FOLDER/signer.pem")
_WORDS = Message("put the words there: labelkit embed ... --words eu-generated or eu-modified")
_HEARD = Message("let it be spoken: labelkit embed ... --sound speech --words eu-generated")
_MANIFEST = Message("state it in the manifest: labelkit embed ... --signer PEM --generator \"NAME VERSION\"")
MENDS = {
    "explicit-label": Message("draw one: labelkit embed FILE -o OUT --producer CODE; or show that it was waived: "
                              "labelkit check ... --log LOG"),
    "explicit-position": _EMBED, "explicit-height": _EMBED, "explicit-contrast": _EMBED, "explicit-level": _EMBED,
    "explicit-form": _EMBED, "layers-agree": _EMBED, "manifest-whole": _EMBED, "unaltered": _EMBED,
    "metadata-label": _METADATA, "metadata-unique": _METADATA, "metadata-placement": _METADATA, "json-form": _METADATA,
    "seven-fields": _METADATA, "field-names": _METADATA, "label-value": _METADATA, "characters": _METADATA,
    "elements": _METADATA, "value-length": _METADATA, "permanent-metadata": _METADATA,
    "provider-code": Message("give the code that fits, or a name: labelkit embed ... --replace --producer CODE"),
    "signature": Message("sign it with a key that verifiers know: labelkit embed ... --sm2-key PEM, labelkit check ... "
                         "--sm2-pin PEM"),
    "log-retention": Message("find what was removed: labelkit log verify LOG --head NUMBER:HASH:TIME"),
    "machine-readable": _EMBED, "detectable": _EMBED, "signed-metadata": _SIGN, "signed-statement": _SIGN,
    "time-stamp": Message("have it time-stamped: labelkit embed ... --signer PEM --ta-url URL"),
    "signer-trusted": Message("say whom you trust: labelkit check ... --trust PEM; others trust signers on the C2PA's "
                              "list: labelkit trust show"),
    "watermark": Message("mark it with a key of your own: labelkit keygen FOLDER, then labelkit embed ... --key "
                         "FOLDER/watermark.key, and labelkit check ... --key FOLDER/watermark.key"),
    "marks-kept": Message("keep the manifests of what the content was made from: label files that were not changed "
                          "since they were signed"),
    "system-name": _MANIFEST, "system": _MANIFEST, "created-or-altered": _MANIFEST,
    "provider-name": Message("name the provider: labelkit embed ... --producer NAME, or a signer of that name"),
    "time": Message("state it: labelkit embed ... --signer PEM --generator NAME --created TIME"),
    "model": Message("name the model: labelkit embed ... --signer PEM --generator NAME --model IDENTIFIER"),
    "unique-identifier": Message("give it one: labelkit embed ... --produce-id ID"),
    "detector": Message("build one, labelkit page OUT, and say where it is: labelkit check ... --detector URL"),
    "text-watermark": Message("no command of labelkit puts one into a text: have the model do it"),
    "visible-disclosure": _WORDS, "disclosure-design": _WORDS, "disclosure-kind": _WORDS, "disclosure-spoken": _HEARD,
     "manifest-disclosure": _EMBED,
    "disclosure-place": Message("put it at the beginning: labelkit embed ... --place start"),
    "disclosure-repeated": Message("repeat it: labelkit embed ... --show whole for films, --repeat SECONDS for sound"),
    "exported-mark": _EMBED, "deep-fake-notice": _EMBED, "prominent-label": _EMBED,
    "label-throughout": Message("show it throughout: labelkit embed ... --show whole")}


def mend(result: Result) -> Message | None:
    """What to run where a rule did not pass, or None where it did."""
    return None if result.outcome is Outcome.PASS else MENDS.get(result.rule)
