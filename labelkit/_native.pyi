# SPDX-License-Identifier: Apache-2.0
# The compiled module of native/binding/. labelkit.kernels.contract says what each kernel does, native/lk.h in full.
from labelkit.kernels.contract import Float32, Float64, Int8, Int16, Int32, Int64, Sound, UInt8, UInt16, UInt32

def isa() -> str: ...
def isas() -> list[str]: ...
def use_isa(name: str, /) -> None: ...

# native/binding/ecc.c
def polar_scratch(n: int, paths: int, /) -> int: ...
def polar_decode(soft: Int32, frozen: UInt8, paths: int, scratch: UInt8, bits: UInt8, metric: Int64, /) -> None: ...
def code_distance(words: Int64, table: Int64, hard: Int64, mask: Int64, distance: UInt16, /) -> None: ...

# native/binding/image.c
def image_gain(pixels: UInt8, gain: UInt8, base: int, slope: int, top: int, /) -> None: ...
def film_gain(luma: UInt8, level: UInt16, ease: UInt8, gain: UInt8, base: int, slope: int, top: int, /) -> None: ...
def image_embed(pixels: UInt8, out: UInt8, gain: UInt8, flat: Int16, textured: Int8, fades: bool, scratch: Int16,
                /) -> None: ...
def tile_make(columns: Float32, low: int, waves: Float32, flat: Int16, textured: Int8, /) -> None: ...
def tile_place(
    both: Int32, rows: UInt32, columns: UInt32, channels: int, flat: Int16, textured: Int8, /
) -> None: ...
def image_colours(pixels: UInt8, out: UInt8, /) -> None: ...
def image_spread(pixels: UInt8, out: UInt8, /) -> None: ...
def image_luma(pixels: UInt8, luma: UInt8, /) -> None: ...
def floats_quantise(pixels: Float32, out: UInt8, outside: Int64, /) -> None: ...
def floats_expand(pixels: UInt8, out: Float32, /) -> None: ...
def plane_whiten(luma: UInt8, out: Int8, scratch: Int32, noise: int, /) -> None: ...
def plane_fold(plane: Int8, out: Int32, /) -> None: ...
def plane_fold_lattice(plane: Int8, origin: UInt32, step: UInt32, out: Int32, /) -> None: ...
def jpeg_scan(
    pixels: UInt8, across: int, down: int, quantisers: UInt16, codes: UInt32, out: UInt8, size: Int64, /
) -> None: ...
def jpeg_marker(data: UInt8 | bytes | memoryview, wanted: UInt8 | bytes, start: int, place: Int64, /) -> None: ...
def lattice_score(r: Float32, height: int, width: int, vectors: Float32, score: Float32, /) -> None: ...
def pattern_score(
    spectrum: Float32, waves: Int32, pattern: Float32, roots: Float32, steps: Float32, scratch: Float32,
    score: Float32, /
) -> None: ...
def plane_resample(
    plane: UInt8, left: float, top: float, right: float, bottom: float, out: UInt8, scratch: UInt32, /
) -> None: ...
def plane_match(
    plane: UInt8, pattern: UInt8, least: int, scratch: Int64, place: Int64, score: Float32, /
) -> None: ...

# native/binding/camera.c
def camera_grid(
    brightness: UInt16, times: int, scale: float, plain: float, scratch: Float32, grid: Float32, facts: Float64, /
) -> None: ...
def camera_fit(
    now: Float32,
    first: Float32,
    start: Float64,
    steps: int,
    zooms: bool,
    settled: float,
    scratch: Float32,
    found: Float64,
    /,
) -> None: ...

# native/binding/margin.c
def margin_sample(
    pixels: UInt8,
    y: UInt32,
    x: UInt32,
    activity: UInt8,
    gain: UInt8,
    base: int,
    bright: int,
    waves: Int32,
    patterns: Float32,
    cells: Float32,
    /,
) -> None: ...
def margin_score(
    cells: Float32,
    crops: UInt8,
    levels: Float64,
    steps: Float32,
    kept: Float64,
    passed: Float64,
    scale: float,
    scores: Float64,
    /,
) -> None: ...

# native/binding/audio.c
def audio_mark_scratch(channels: int, /) -> int: ...
def audio_mark(
    x: Float32,
    channels: int,
    frames: int,
    roots: Float32,
    window: Float32,
    edges: UInt16,
    signs: Int8,
    phase: int,
    depths: Float32,
    heard: Float32,
    scratch: Float32,
    out: Float32,
    /,
) -> None: ...
def audio_shield(
    host: Float32,
    difference: Float32,
    ratio: float,
    roots: Float32,
    window: Float32,
    scratch: Float32,
    out: Float32,
    /,
) -> None: ...
def audio_limit(host: Float32, difference: Float32, ratio: float, scratch: Float32, out: Float32, /) -> None: ...
def audio_resample(
    x: Float32, bank: Float32, phases: int, up: int, down: int, position: int, y: Float32, /
) -> None: ...
def audio_stream_state(channels: int, room: int, far_room: int, /) -> int: ...
def audio_stream_scratch(channels: int, /) -> int: ...
def audio_stream_form(
    channels: int,
    room: int,
    far_room: int,
    up: int,
    down: int,
    down_bank: Float32,
    up_bank: Float32,
    roots: Float32,
    window: Float32,
    brief: Float32,
    edges: UInt16,
    signs: Int8,
    depths: Float32,
    limits: Float32,
    adds: bool,
    counts: Int64,
    state: Float32,
    scratch: Float32,
    /,
) -> object: ...
def audio_stream(form: object, chunk: Sound, most: int, whole: bool, out: Sound, /) -> int: ...
def audio_loudness(
    x: Float32,
    channels: int,
    hop: int,
    filters: Float64,
    fade: Float64,
    step: Float64,
    state: Float64,
    scratch: Float64,
    energy: Float64,
    /,
) -> None: ...
def audio_spectrum(
    x: Float32,
    frames: int,
    hop: int,
    roots: Float32,
    window: Float32,
    low: int,
    high: int,
    scratch: Float32,
    out: Float32,
    /,
) -> None: ...
def audio_chips(
    spectrum: Float32,
    frames: int,
    index: UInt16,
    part: Float32,
    width: Float32,
    floors: Float32,
    weights: Float32,
    pace: float,
    rows: int,
    scratch: Float32,
    out: Float32,
    /,
) -> None: ...
def audio_rows(chips: Float32, signs: Float32, length: int, hit: Float32, variance: Float32, /) -> None: ...
