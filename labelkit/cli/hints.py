# SPDX-License-Identifier: Apache-2.0
"""What the hints of the library mean on the command line: it speaks of arguments, the command line of options."""

from __future__ import annotations

from labelkit.errors import LabelkitError
from labelkit.messages import Message

OPTIONS = {
    "convert it to {other}, or leave the signal layers out of the plan": Message(
        "convert it to {other}, or use --layers metadata --explicit-present if it already carries an explicit label"),
    "write the metadata alone": Message(
        "use --layers metadata --explicit-present if it already carries an explicit label"),
    "make the label shorter": Message("shorten --text"),
    "put the pieces together, or label the stream itself (TextLabeller)": Message("put the pieces together"),
    "write the metadata alone, or convert it to PNG": Message(
        "use --layers metadata --explicit-present if it already carries an explicit label, or convert it to PNG"),
    "write the metadata alone, or convert it to {other}": Message(
        "use --layers metadata --explicit-present if it already carries an explicit label, or convert it to {other}"),
    "write the metadata alone, or make a file of each": Message(
        "use --layers metadata --explicit-present if it already carries an explicit label, or make a file of each"),
    "take the film out, or write the metadata alone": Message(
        "take the film out, or use --layers metadata --explicit-present if it already carries an explicit label"),
    "write the metadata alone, or convert it to a picture without one": Message(
        "use --layers metadata --explicit-present if it already carries an explicit label, or convert it to a picture "
        "without one"),
    "save the pictures one by one, or write the metadata alone": Message(
        "save the pictures one by one, or use --layers metadata --explicit-present if they already carry explicit "
        "labels"),
    "leave the signal layers out of the plan": Message(
        "use --layers metadata --explicit-present if it already carries an explicit label"),
    "leave the signal layers out of the plan; sound alone belongs in M4A": Message(
        "use --layers metadata --explicit-present if it already carries an explicit label; sound alone belongs in M4A"),
    "{install}, or leave the signal layers out of the plan": Message(
        "{install}, or use --layers metadata --explicit-present if it already carries an explicit label"),
    "{install}, or leave the explicit label out": Message("{install}, or leave explicit out of --layers"),
    "leave provenance out of the plan": Message("leave out --signer"),
    "take the FLAC out of Ogg, which loses nothing, or write the metadata alone": Message(
        "convert it to plain FLAC, which is lossless, or use --layers metadata --explicit-present if it already "
        "carries an explicit label"),
    "convert the sound track to AAC, or label the picture alone": Message(
        "convert the sound track to AAC, or leave out --soundtrack"),
    "set sound=\"speech\", or soundtrack=False": Message("use --sound speech, or leave explicit out of --soundtrack"),
    "set soundtrack=False": Message("leave explicit out of --soundtrack"),
    "write the label into the table by hand, and give the metadata alone here": Message(
        "write the label into the table by hand, then use --layers metadata --explicit-present"),
    "leave the watermark out of the plan": Message("leave watermark out of --layers"),
    "label it in a language of another script, such as English": Message(
        "use --lang-label with a language of another script, such as en"),
    "give a recording of one": Message("use a --recording of one"),
    "ask for h264, hevc or av1, which need no hardware": Message(
        "use --video-codec h264, hevc or av1, which need no hardware"),
    "ask for h264, or convert the file to MP4": Message("use --video-codec h264, or convert the file to MP4"),
    "label a finished presentation, or live frames through labelkit.Labeller": Message(
        "label the presentation when it is finished"),
    "leave the sound track out of the plan": Message("leave out --soundtrack"),
    "leave the metadata layer out of the plan, or repackage the presentation with segments of fragmented MP4": Message(
        "leave metadata out of --layers, or repackage the presentation with segments of fragmented MP4"),
    "raise the strength, or leave the watermark out of the plan": Message(
        "raise --strength, or leave watermark out of --layers"),
    "give another folder": Message("use another folder in -o"),
    "mark a longer clip, raise the strength, or set presence_only=True": Message(
        "mark a longer clip, raise --strength, or use --presence-only"),
    "mark a longer clip, or raise the strength": Message("mark a longer clip, or raise --strength"),
    "give a larger picture or more strength, or set required=False to label it without a watermark": Message(
        "use a larger picture, raise --strength, or use --watermark if-possible to label it without a watermark"),
    "set required=False to label it without a watermark": Message(
        "use --watermark if-possible to label it without a watermark"),
    "raise the strength, or start from a file that is compressed less": Message(
        "raise --strength, or start from a file that is compressed less"),
    "raise the strength, or leave the sound track out of it": Message(
        "raise --strength, or leave watermark out of --soundtrack"),
    "give a recording of clear speech, or a higher bitrate": Message(
        "use a --recording of clear speech, or a source of a higher bitrate"),
    "give a recording that says so": Message("use a --recording that says so"),
    "embed with a signer: the manifest states the generator": Message(
        "use --signer: the manifest states the system of --generator"),
    "enlarge the picture, shorten the text or lower the height in the plan": Message(
        "enlarge the picture, shorten --text or lower --height"),
    "enlarge the picture or shorten the text": Message("enlarge the picture or shorten --text"),
    "put the label at the start or the end": Message("use --place start or --place end"),
    "put the label at the start": Message("use --place start"),
    "ask for the explicit label": Message("leave out --layers, or name explicit in it"),
    "write for example AI生成": Message("use for example --text AI生成"),
    "write for example AI生成, or name the language of a label that is not made for China": Message(
        "use for example --text AI生成, or --lang-label for a label that is not made for China"),
    "give a font that has them, for example NotoSansCJK-Regular.ttc": Message(
        "use a --font that has them, for example NotoSansCJK-Regular.ttc"),
    "ask for the old label to be replaced": Message("use --replace to replace the old label"),
    "give a signer, so that the old manifest becomes the parent of a new one, or ask for it to be replaced": Message(
        "use --signer, so that the old manifest becomes the parent of a new one, or --replace to remove it"),
    "embed with a signer, so that the old manifest becomes an ingredient of a new one": Message(
        "use --signer, so that the old manifest becomes the parent of a new one"),
    "encode the file again, or leave provenance out of the plan": Message(
        "encode the file again, or leave out --signer"),
    "replace the list, or return to the shipped one": Message("use labelkit trust update, or labelkit trust reset"),
    "try again later, or sign without a time-stamp": Message("try again later, or leave out --ta-url"),
    "give another target, or ask for the change in place": Message("use another --output, or --in-place"),
    "write it to a file and give pin-source=file:/FILE, or pass pin": Message(
        "write it to a file and give pin-source=file:/FILE, or set LABELKIT_SIGNER_PASSWORD"),
}
"""By the template of a library hint: what a user of the command line can do."""


def hint_of(error: LabelkitError) -> Message | None:
    """The hint of an error in terms of options, with the same facts."""
    hint = error.hint
    if hint is None or hint.template not in OPTIONS:
        return hint
    return Message(OPTIONS[hint.template].template, **hint.facts)
