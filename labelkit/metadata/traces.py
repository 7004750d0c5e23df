# SPDX-License-Identifier: Apache-2.0
"""AI traces: marks of generators that are no label of GB 45438-2025 and weigh less than one.

Each is a `Trace`: where it was found, and what it says.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace

from labelkit.container import C2PA, EXIF, TEXT, XMP, Layout, Slot
from labelkit.errors import LabelkitError
from labelkit.evidence import Trace
from labelkit.metadata import exif, xmp

_MAX_TEXT = 1 << 20
_MAX_SYSTEMS = 16
_MAX_STORE = 4 << 20
_SOURCE_TYPE = re.compile(rb"digitalsourcetype(?:/|>|\s*=\s*[\"'])(\w{1,64})", re.IGNORECASE)
# IPTC NewsCodes, Digital Source Type: the terms that mean generative AI. algorithmicMedia is a drawing made by
# a formula, algorithmicallyEnhanced a photograph that was sharpened: neither is learnt from data
_AI_SOURCE_TYPES = {b"trainedalgorithmicmedia", b"compositewithtrainedalgorithmicmedia", b"compositesynthetic"}
# text keys of PNG and other formats under which generators keep their settings
_SETTINGS_KEYS = {"parameters", "prompt", "workflow", "dream", "sd-metadata", "invokeai_metadata", "invokeai_graph",
                  "invokeai_workflow", "generation_data", "negative_prompt"}
_SETTINGS_TEXT = re.compile(
    rb"\bSteps: \d+, (?:Sampler|CFG scale|Size|Seed)|\"class_type\"|\"sampler_name\"|\"ckpt_name\"|"
    rb"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-")  # the last is Midjourney's
# ByteDance's own, beside or in place of a label; 0 stands in ordinary files of its editors too
_PRIVATE_MARK = re.compile(rb'"aigc_label_type"\s*:\s*"?[1-9]')
# Names that nothing else has, anywhere in the name of a program or in a credit
_GENERATORS = re.compile(
    r"(?<![a-z0-9])(?:midjourney|stable[ -]?diffusion(?: ?xl)?|dall[-·•]e(?: ?[23])?|dalle[ -]?[23]|comfyui|invokeai|"
    r"novelai|fooocus|automatic1111|adobe firefly|google (?:imagen|gemini|veo)|chatgpt|gpt-?4o|gpt-image(?:-[\w.]+)?|"
    r"openai|leonardo\.ai|meta ai|luma ai|bing image creator|image creator from (?:designer|microsoft)|"
    r"microsoft designer|grok imagine|xai grok|runwayml|pika ?labs|elevenlabs|cosyvoice|seedream|seedance|hailuo|"
    r"nano banana|hunyuan|liblibai|black forest labs|made with google ai)(?![a-z])|"
    r"豆包|即梦|可灵|通义千问|通义万相|千问|腾讯混元|混元(?:大模型|生图|文生)|文心(?:一言|一格)|海螺 ?ai",
    re.IGNORECASE)
# Names that people, places and other products have too: they count where a piece of the text is such a name and
# nothing more than its maker, its version and what it is for. "Sora Tanaka" and "MiniMax Remez filter designer" are not
_MAKER = (r"(?:(?:created|generated|made|produced) (?:with|by|in|using) )?(?:(?:google|deepmind|openai|xai|alibaba|"
          r"kuaishou|tencent|bytedance|shengshu|ideogram|suno|recraft|minimax) )*")
_MORE = (r"(?:[ .-]?(?:v?\d+(?:\.\d+)*[a-z]?|ai|pro|flash|ultra|max|mini|turbo|lite|dev|schnell|kontext|fast|"
         r"preview|plus|image|video|music|speech|tts|edit|t2v|i2v|ti2v|a?\d+b|app|studio))*")
_PRODUCT = re.compile(
    f"{_MAKER}(?:sora|grok|flux|veo|ideogram|recraft|suno|udio|kling|doubao|jimeng|vidu|qwen|tongyi|"
    f"wan(?=[ .-]?[a-z]*[\\d])|wanx|minimax|draw things|dream machine|pika|runway|文心|海螺|通义|混元){_MORE}|"
    # rockets were called Gemini 3 to 12, and imagen is Spanish for picture
    rf"{_MAKER}gemini[ -](?:\d\.\d|\d(?=[ -](?:pro|flash|ultra)))(?:[ -](?:pro|flash|ultra|image|preview|lite))*|"
    rf"{_MAKER}imagen[ -][234](?:\.0)?(?:[ -](?:ultra|fast|generate|preview))*", re.IGNORECASE)
_PIECES = re.compile(r"[,;|+()\[\]\n\0]| [-–—/] ")
_XMP_TOOL = re.compile(rb"(CreatorTool|Credit)(?:>|\s*=\s*[\"'])([^<\"']{1,200})")
# In a manifest store: what Microsoft writes in place of a source type; Adobe's watermark, which photographs have too
_MICROSOFT = re.compile(rb"Image Creator from Designer|Bing Image Creator|Microsoft Responsible AI Image Provenance")
_TRUSTMARK = re.compile(rb"com\.adobe\.trustmark\.[A-Z]")
_GROK_TEXT = re.compile(rb"\s*Signature: ?[A-Za-z0-9+/=_-]{40,}\s*")  # xAI's, beside an artist that is a number
_UUID = re.compile(rb"\s*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*", re.IGNORECASE)
_SOFTWARE_KEYS = {"software", "encoder", "creator", "producer", "creatortool", "encoded_by"}


def find(layout: Layout) -> tuple[Trace, ...]:
    """Every AI trace in the slots of a file, in file order; a slot that cannot be read has none."""
    found: list[Trace] = []
    for slot in layout.slots:
        look = {C2PA: _in_store, XMP: _in_xmp, EXIF: _in_exif, TEXT: _in_text}[slot.kind]
        try:
            found += [replace(trace, slot=f"{slot.name} {slot.key}".strip(), offset_bytes=slot.offset_bytes,
                              length_bytes=slot.length_bytes) for trace in look(slot)]
        except LabelkitError:
            continue
    return tuple(found)


def systems(layout: Layout) -> tuple[str, ...]:
    """The AI systems that XMP names (IPTC), in file order; a packet that cannot be read names none."""
    found: list[str] = []
    for slot in layout.slots:
        if slot.kind == XMP:
            with contextlib.suppress(LabelkitError):
                found += xmp.systems(slot.load())
    return tuple(dict.fromkeys(text[:200] for text in found))[:_MAX_SYSTEMS]


def _trace(trace: str, value: str | None = None, key: str | None = None) -> Trace:
    """A trace whose slot is filled in by `find`."""
    return Trace(trace, "", 0, 0, value, key)


def _in_store(slot: Slot) -> Iterator[Trace]:
    raw = slot.load() if slot.length_bytes <= _MAX_STORE else b""
    says, theirs = next(_source_types(raw), None), _MICROSOFT.search(raw)
    if theirs and not says and b"AI Generated Image" in raw:
        says = _trace("", theirs[0].decode())
    yield _trace("C2PA manifest store", says.value if says else None)
    if _TRUSTMARK.search(raw):
        yield _trace("TrustMark watermark named in the manifest")


def _source_types(raw: bytes) -> Iterator[Trace]:
    for term in sorted({term for term in _SOURCE_TYPE.findall(raw) if term.lower() in _AI_SOURCE_TYPES}):
        yield _trace("IPTC digital source type", term.decode())


def _in_xmp(slot: Slot) -> Iterator[Trace]:
    packet = slot.load().translate(None, b"\0")
    yield from _source_types(packet)
    for name, text in _XMP_TOOL.findall(packet):
        yield from _generator(text, person=name == b"Credit")


def _in_exif(slot: Slot) -> Iterator[Trace]:
    texts = {value.name: value.text.strip(b"\0") for value in exif.values(slot.load())}
    for name, text in texts.items():
        if name == "Software":
            yield from _generator(text)
        elif name != "Artist":
            yield from _settings(text, name)
    for name in ("ImageDescription", "UserComment"):
        if _UUID.fullmatch(texts.get("Artist", b"")) and _GROK_TEXT.fullmatch(texts.get(name, b"")):
            yield _trace("signature of xAI Grok", key=name)


def _in_text(slot: Slot) -> Iterator[Trace]:
    key = slot.key.lower()
    if slot.length_bytes > _MAX_TEXT or key == "aigc":
        return
    if key in _SOFTWARE_KEYS:
        yield from _generator(slot.load())
    elif key in _SETTINGS_KEYS or key in ("comment", "description", "usercomment", "imagedescription"):
        yield from _settings(slot.load(), slot.key)


def _generator(raw: bytes, *, person: bool = False) -> Iterator[Trace]:
    """The trace of a generator's name; `person`: people stand there too, of whom some are called Sora."""
    text = raw.decode("utf-8", "replace").strip("\0 ")
    pieces = [piece.strip() for piece in _PIECES.split(text)]
    if _GENERATORS.search(text) or any(_PRODUCT.fullmatch(piece) and (not person or " " in piece or
                                       any(map(str.isdigit, piece))) for piece in pieces):
        yield _trace("software name of a generator", text[:200])


def _settings(raw: bytes, key: str) -> Iterator[Trace]:
    text = raw.translate(None, b"\0")
    if _SETTINGS_TEXT.search(text):
        yield _trace("settings of a generator", key=key)
    if _PRIVATE_MARK.search(text):
        yield _trace("mark of a service's own", key=key)
