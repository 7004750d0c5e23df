# SPDX-License-Identifier: Apache-2.0
"""The library speaks of arguments, the command line of options."""

import pickle
import re

import pytest

from labelkit.cli import hints, parser
from labelkit.cli.outcome import error_json, say_error
from labelkit.errors import HostTooSmall, InvalidArgument, UnsupportedFormat
from tests import twins
from tests.cli.conftest import PRODUCER, write

# hints that say the same in Python and on the command line, or that a command line cannot bring about
SAME = {
    # of presentations of DASH, scenes and stores: what to do with the file
    "give it a viewBox",
    "leave it out of the manifest",
    "leave one BaseURL, relative to the manifest",
    "repackage it with SegmentTemplate, SegmentList, or indexRange of a box sidx",
    "repackage it with one track in each segment, and one run in each fragment",
    "repackage the presentation with segments of fragmented MP4",
    "state it in each representation",
    "such as http://127.0.0.1:9000",
    "such as redis://HOST:6379/0; / ? # and @ of a password are written as %2F, %3F, %23 and %40",
    # of arrays and servers: no file leads to these
    "compress outside this middleware",
    "of samples from -1 to 1 give (samples + 1) / 2, of those up to 255 samples / 255",
    "move it to the CPU with .cpu(), and turn bfloat16 into float32 with .float()",
    "give one of them, or all to embed_many with a label for each; the frames of a film become a film by "
    "labelkit.integrations.films.write_film, or by a Labeller",
    # of hosts and the service
    "ask for another output_type, or pass them and label what is decoded from them",
    "choose another name, or take its line out of the file",
    "encode at a higher quality, or raise the strength of the watermark",
    "fill it in, or set LABELKIT_PRODUCER for the server", "give LabelOutputs the rate in Hz",
    "give LabelOutputs the rate in Hz, and ask the pipeline for the film too", "mix it to stereo, or encode it to flac",
    "give format, such as \"WAV\"", "label its results with labelkit.embed",
    "leave the signer out of the plan, or label the whole sound with labelkit.embed",
    "of frames from -1 to 1 give (frame + 1) / 2", "state it in the content type, or give pcm=(rate, channels)",
    "stream what labelkit.integrations.speech.stream gives, or show the whole",
    "a border outside the picture makes it larger",
    "name folders on the command line of the server: labelkit mcp FOLDER",
    "give each service a folder of its own, or one database in PostgreSQL",
    "install a Pillow with Raqm, as its wheels are, and the library FriBiDi (Debian: libfribidi0)",
    "leave provenance out of the plan, and sign the recording",
    # of playlists
    "download the whole presentation, then label it", "label the playlist of the whole segments",
    "give such segments initialisation segments of their own (EXT-X-MAP)", "label the presentation, then encrypt it",
    "repackage it with a time scale that is the sampling rate",
    # of stores and shards
    "labelkit.integrations.lance adds labels to a dataset where it is",
    "credentials, endpoint and region come from the environment, not from a URL",
    "a Parquet file ends with its index, so of one that was cut off nothing can be read",
    "it may be several archives in one; write it anew as one", "names of objects must not contain // or .. ; rename it",
    "set {name}, or {public}=true for a public bucket",
    # of files
    "AV1 takes a number, H.264 and H.265 take a word such as veryfast",
    "add ?module-path=FILE, or set PKCS11_MODULE", "add object=NAME or id=%01", "convert it to 8 bits a sample",
    "convert it to 8 or 16 bits a sample", "convert it to RGB", "hand in the file, or a copy of one of them",
    "convert the file to {other}, then label it",
    "encode it to PNG or WebP, or drop the alpha", "encode them to PNG, or convert them to 8 bits",
    "give a format to encode them to", "give array.filled(VALUE)", "give a label log", "give format, such as \"png\"",
    "give now, an aware datetime", "give rate, the sampling rate in Hz",
    "give only the root certificates, such as the anchors.pem that labelkit keygen writes",
    "give the 27-character provider code, or the name in Latin letters without spaces",
    "label the document before it is signed", "label the mail before it is signed and sent",
    "labelkit keygen makes a certificate that works",
    "labelkit keygen writes a signer.pem with the chain and the key",
    "labelkit keygen writes a watermark.key",
    "move it with .cpu(), and bfloat16 with .float()", "openssl genpkey -algorithm SM2 -out sm2.pem",
    "put the label at the start, the end or both", "save the text in UTF-8",
    "openssl pkey -in sm2.pem -pubout -out sm2.pub.pem",
    "remux the file with 64-bit chunk offsets (co64), then label it",
    "remux the file, then label it", "resample it, or encode it to ogg",
    "samples in memory are taken as NumPy arrays and Pillow images",
    "save the document with another program, then label it",
    "save the picture again with an encoder that writes base offsets", "take the password off, then label the document",
    "write a sidecar with labelkit.provenance.sign_sidecar",
}


def _of_the_library(*, hints: bool | None) -> set[str]:
    return {template for template, where in twins.places(hints=hints).items()
            if not all(place.startswith("cli/") for place in where)}


def _options() -> set[str]:
    commands = parser.build()._subparsers._group_actions[0].choices.values()
    return {name for command in commands for action in command._actions for name in action.option_strings}


def test_no_message_of_the_library_names_an_option():
    options = _options()
    named = {template: options & set(re.findall(r"--[\w-]+", template)) for template in _of_the_library(hints=None)}
    assert not {template: names for template, names in named.items() if names}
    assert "use --replace to replace the old label" in twins.places(), "the command line's do"


def test_every_hint_of_the_library_has_its_words_on_the_command_line():
    """A new hint is mapped in `cli/hints.py`, or added above because it holds for both."""
    library = _of_the_library(hints=True)
    decided = {template for template in library if template in hints.OPTIONS or template in SAME
               or template.startswith("pip install ")}
    assert library == decided
    assert not [template for template in hints.OPTIONS if template not in library], "the library no longer says it"
    assert not set(hints.OPTIONS) & SAME and SAME <= library


def test_options_in_hints_exist():
    said = {option for message in hints.OPTIONS.values() for option in re.findall(r"--[\w-]+", message.template)}
    assert len(said) > 10 and said <= _options()


def test_a_hint_keeps_its_facts():
    error = UnsupportedFormat("{where}: no", where="x", other="AAC",
                              hint="convert it to {other}, or leave the signal layers out of the plan")
    assert str(error.hint) == "convert it to AAC, or leave the signal layers out of the plan"
    assert str(hints.hint_of(error)).startswith("convert it to AAC, or use --layers metadata ")
    assert str(hints.hint_of(pickle.loads(pickle.dumps(error)))) == str(hints.hint_of(error))


def test_a_hint_that_holds_for_both_is_left_as_it_is(capsys):
    error = InvalidArgument("wrong", hint="add object=NAME or id=%01")
    say_error(error, "en")
    assert capsys.readouterr().err == "wrong\nhint: add object=NAME or id=%01\n"
    assert hints.hint_of(InvalidArgument("wrong")) is None and error_json("x", error, "en")["error"]["hint"]


@pytest.mark.parametrize(("language", "said"), [("en", "leave watermark out of --layers"),
                                                ("zh-CN", "请在 --layers 中去掉 watermark")])
def test_text_and_json_say_the_option(language, said, capsys):
    error = HostTooSmall("too small", hint="leave the watermark out of the plan")
    say_error(error, language)
    assert said in capsys.readouterr().err
    assert error_json("x", error, language)["error"]["hint"] == said


def test_a_refused_label_names_the_option(run):
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "a.jpg", *PRODUCER)
    assert "hint: use --replace to replace the old label" in run("embed", "a.jpg", "-o", "b.jpg", "--producer", "x")[2]
