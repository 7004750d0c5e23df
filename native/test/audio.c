/* SPDX-License-Identifier: Apache-2.0
 *
 * The audio kernels against the edges of their buffers, as main.c does for pictures: every buffer ends where a page without
 * access begins, sizes are odd, values silent, loud or beyond full scale; all instruction sets must agree to the bit.
 */
#define _DEFAULT_SOURCE
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cpu.h"
#include "test/guard.h"

static int failures;
static uint32_t state = 1;

static void check(int right, const char *what) {
    if (right) return;
    printf("FAILED %s on %s\n", what, lk_isa_name(lk_isa_active()));
    failures++;
}

/* count floats that end at a page without access, filled with noise of an amplitude */
static float *floats(size_t count, float amplitude) {
    float *out = guarded(count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = amplitude * ((float)(state >> 8) / 8388608.0f - 1.0f);
    }
    return out;
}

static uint32_t hash(uint32_t sum, const float *x, size_t count) { return digest(sum, x, count * sizeof *x); }

static void tables(float *roots, float *window) {
    for (int k = 0; k < LK_AUDIO_FRAME; k++) {
        const double angle = -2 * 3.14159265358979323846 * k / LK_AUDIO_FRAME;
        roots[2 * k] = (float)cos(angle), roots[2 * k + 1] = (float)sin(angle);
        window[k] = (float)(0.5 - 0.5 * cos(angle));
    }
    float *first = roots + 2 * LK_AUDIO_FRAME, *second = first + 6 * 128;
    for (size_t j = 0; j < 6; j++)
        for (size_t i = 0; i < 128; i++) {
            first[128 * j + i] = roots[4 * i * (j / 2 + 1) + j % 2];
            second[128 * j + i] = roots[16 * (i / 4) * (j / 2 + 1) + j % 2];
        }
}

static uint32_t marks(size_t channels, size_t frames, float amplitude) {
    const struct lk_kernels *k = lk_active();
    static const uint16_t edges[] = {1, 2, 30, 300, 512};
    static const int8_t signs[] = {1, -1, 0, 1, -1, -1, 1, 1};
    const size_t stride = (frames - 1) * LK_AUDIO_HOP + LK_AUDIO_FRAME, all = channels * stride;
    float *heard = floats(LK_AUDIO_HEARD, 0);
    heard[0] = -1e9f;
    float *roots = floats(LK_AUDIO_ROOTS, 0), *window = floats(LK_AUDIO_FRAME, 0), *depths = floats(4, 1);
    tables(roots, window);
    float *x = floats(all, amplitude), *out = floats(all, 0), *scratch = floats(lk_audio_mark_scratch(channels), 1);
    check(k->audio_mark(x, channels, stride, frames, roots, window, edges, 4, signs, 2, 1, depths, heard, scratch, out) ==
              LK_OK, "audio_mark");
    const size_t hop = LK_AUDIO_SHIELD / 2, n = (stride / hop - frames % 2) * hop;
    float *shielded = floats(n, 0), *parts = floats(LK_AUDIO_SHIELD_SCRATCH, 1), *brief = floats(LK_AUDIO_SHIELD, 1);
    check(k->audio_shield(x, out, n / hop - 1, 0.1f, roots, brief, parts, shielded) == LK_OK, "audio_shield");
    const size_t inner = stride - LK_AUDIO_LIMIT;
    float *limited = floats(inner, 0), *sums = floats(2 * stride, 1);
    check(k->audio_limit(x, out, inner, 0.1f, sums, limited) == LK_OK, "audio_limit");
    float *spectrum = floats(frames * 511, 0), *work = floats(4 * LK_AUDIO_FRAME, 1);
    check(k->audio_spectrum(x, stride, frames, LK_AUDIO_HOP, roots, window, 2, 512, work, spectrum) == LK_OK,
          "audio_spectrum");
    return hash(hash(hash(hash(LK_DIGEST, out, all), shielded, n), limited, inner), spectrum, frames * 511);
}

static uint32_t rates(size_t up, size_t down, size_t phases, size_t taps, size_t count) {
    const size_t position = up - 1, nx = (position + (count - 1) * down) / up + taps;
    float *x = floats(nx, 1), *bank = floats(phases * taps, 1), *y = floats(count, 0);
    check(lk_active()->audio_resample(x, nx, bank, phases, taps, up, down, position, y, count) == LK_OK, "audio_resample");
    check(lk_active()->audio_resample(x, nx - 1, bank, phases, taps, up, down, position, y, count) == LK_BAD_ARGUMENT,
          "refusal to read past the end");
    return hash(LK_DIGEST, y, count);
}

/* A stream in one chunk and in several: the same bits, within its memory. Rates of up : down to 16 kHz. */
static uint32_t streams(size_t channels, size_t up, size_t down, int whole, float amplitude, size_t part) {
    static const uint16_t edges[] = {1, 2, 30, 300, 512};
    static const int8_t signs[] = {1, -1, 0, 1, -1, -1, 1, 1};
    enum { FRAMES = 9000 };
    const size_t taps = up == down ? 0 : 48, back = up == down ? 0 : 32;
    struct lk_audio_stream form = {.channels = channels, .up = up, .down = down, .down_phases = up, .down_taps = taps,
                                   .up_phases = down, .up_taps = back, .edges = edges, .bands = 4, .signs = signs,
                                   .period = 2, .spectral_limit = 0.6f, .energy_limit = 0.2f, .whole = whole, .adds = 1};
    form.room = taps + (1400 + 2048) * down / up, form.far_room = back + down / up + 4097;
    float *roots = floats(LK_AUDIO_ROOTS, 0), *window = floats(LK_AUDIO_FRAME, 0);
    tables(roots, window);
    form.roots = roots, form.window = window, form.brief = floats(LK_AUDIO_SHIELD, 1), form.depths = floats(4, 1);
    form.down_bank = floats(up * taps, 0.1f), form.up_bank = floats(down * back, 0.1f);
    const size_t size = whole ? 2 : 4, state_floats = lk_audio_stream_state(channels, form.room, form.far_room);
    float *samples = floats(FRAMES * channels, amplitude), *held = floats(state_floats, 0);
    float *scratch = floats(lk_audio_stream_scratch(channels), 1);
    int16_t *words = guarded(FRAMES * channels * 2);
    for (size_t i = 0; i < FRAMES * channels; i++) words[i] = (int16_t)(samples[i] * 16000.0f); /* they are below 2 */
    uint8_t *out = guarded(FRAMES * channels * size);
    held[state_floats - LK_AUDIO_HEARD] = -1e9f;
    int64_t counts[LK_AUDIO_STREAM_COUNTS] = {0, taps ? (int64_t)taps / 2 - 1 : 0, 0, 704, 0, 672, back ? 15 : 0};
    size_t given = 0;
    for (size_t at = 0; at < FRAMES; at += part) {
        const size_t count = FRAMES - at < part ? FRAMES - at : part;
        const void *chunk = whole ? (const void *)(words + at * channels) : (const void *)(samples + at * channels);
        check(lk_active()->audio_stream(&form, chunk, count, SIZE_MAX, counts, held, scratch, out + given * channels * size,
                                        FRAMES - given) == LK_OK && counts[8] == (int64_t)count, "audio_stream");
        given += (size_t)counts[9];
    }
    check(given > FRAMES / 2, "audio_stream gives what is ready");
    if (whole) return digest(LK_DIGEST, out, given * channels * size);
    samples[channels] = NAN;
    const int64_t before = counts[1];
    check(lk_active()->audio_stream(&form, samples, 2, SIZE_MAX, counts, held, scratch, out, 0) == LK_OK &&
              counts[8] == -1 && counts[1] == before, "refusal of what is no number");
    return digest(LK_DIGEST, out, given * channels * size);
}

static uint32_t all_streams(void) {
    uint32_t sum = 0;
    for (size_t i = 0; i < 4; i++) {
        const size_t channels = 1 + i % 3, up = i == 2 ? 160 : 1, down = i == 2 ? 441 : i == 1 ? 1 : 3;
        const uint32_t before = state, whole = streams(channels, up, down, i == 3, 2.0f, 9000);
        state = before;
        check(streams(channels, up, down, i == 3, 2.0f, 321) == whole, "a stream in parts");
        sum = sum * 31 + whole;
    }
    return sum;
}

static uint32_t chips(size_t frames, size_t rows, double pace) {
    const struct lk_kernels *k = lk_active();
    enum { BANDS = 6, BINS = 20 };
    static const uint16_t index[BANDS + 1] = {0, 3, 5, 9, 14, 18, 19};
    float *spectrum = floats(frames * (BINS + 1), 100), *part = floats(BANDS + 1, 0), *width = floats(BANDS, 1);
    float *floor = floats(BANDS, 9), *weights = floats(BANDS, 1), *scratch = floats(4 * rows * BANDS, 1);
    float *out = floats(rows * 2, 0);
    part[BANDS] = 1;
    check(k->audio_chips(spectrum, frames, BINS, index, part, width, floor, weights, BANDS, pace, rows, scratch, out) == LK_OK,
          "audio_chips");
    const size_t length = 3, starts = LK_AUDIO_ROWS * length, count = rows / length * starts;
    float *signs = floats(2 * LK_AUDIO_ROWS, 1), *hit = floats(count, 0), *variance = floats(count, 0);
    check(k->audio_rows(out, rows, 2, signs, length, hit, variance) == LK_OK, "audio_rows");
    return hash(hash(hash(LK_DIGEST, out, rows * 2), hit, count), variance, count);
}

/* Stretches of sound at once and one by one: the same bits. */
static uint32_t loudness(size_t channels, size_t hop, size_t hops, float amplitude) {
    const struct lk_kernels *k = lk_active();
    const size_t span = (hop + LK_LOUDNESS_LANES - 1) / LK_LOUDNESS_LANES, all = hops * channels;
    float *x = floats(all * hop, amplitude);
    double *fade = guarded(span * 4 * sizeof *fade), *step = guarded(32 * sizeof *step), *filters = guarded(7 * sizeof *step);
    double *scratch = guarded(span * LK_LOUDNESS_LANES * sizeof *scratch), *state_of = guarded(channels * 4 * sizeof *scratch);
    double *energy = guarded(all * sizeof *energy), *again = guarded(all * sizeof *again);
    static const double usual[7] = {1.5351, -2.6917, 1.1984, -1.6907, 0.7325, -1.99, 0.9901};
    memcpy(filters, usual, sizeof usual);
    for (size_t i = 0; i < span * 4; i++) fade[i] = 1.0 / (double)(i + 1);
    for (size_t i = 0; i < 32; i++) step[i] = i % 5 ? 0.01 : 0.5;
    memset(state_of, 0, channels * 4 * sizeof *state_of);
    check(k->audio_loudness(x, channels, hop, hops, filters, fade, step, state_of, scratch, energy) == LK_OK,
          "audio_loudness");
    memset(state_of, 0, channels * 4 * sizeof *state_of);
    for (size_t h = 0; h < hops; h++)
        k->audio_loudness(x + h * hop * channels, channels, hop, 1, filters, fade, step, state_of, scratch,
                          again + h * channels);
    check(!memcmp(energy, again, all * sizeof *energy), "loudness of a stream in parts");
    check(k->audio_loudness(x, channels, LK_LOUDNESS_LEAST - 1, 1, filters, fade, step, state_of, scratch, energy) ==
              LK_BAD_ARGUMENT, "refusal of short stretches");
    return digest(LK_DIGEST, energy, all * sizeof *energy);
}

/* What the C library has no part in: the same bits on every platform. */
static uint32_t exact(void) {
    state = 1;
    uint32_t sum = rates(3, 1, 3, 32, 200) + rates(1, 3, 1, 80, 130) + rates(1, 12, 1, 288, 65) + rates(160, 441, 160, 80, 77);
    sum = sum * 31 + rates(1001, 1000, 64, 16, 333) + rates(1, 1, 1, 16, 1) + rates(12, 1, 12, 32, 5);
    sum = sum * 31 + loudness(1, 256, 3, 1.0f) + loudness(3, 801, 2, 1e4f) + loudness(2, 4410, 2, 1e-9f);
    return sum * 31 + chips(1, 1, 1.0) + chips(9, 7, 1.25) + chips(40, 50, 0.8) + chips(3, 200, 0.01);
}

static uint32_t everything(void) {
    static const float amplitudes[] = {0.0f, 1e-9f, 1.0f, 1e4f};
    uint32_t sum = exact();
    for (size_t a = 0; a < 4; a++)
        for (size_t frames = 1; frames < 4; frames++) sum = sum * 31 + marks(1 + a % 2, frames, amplitudes[a]);
    return sum * 31 + all_streams();
}

/* Sizes, positions and paces that no memory has are refused before anything is read. */
static void refusals(void) {
    const struct lk_kernels *k = lk_active();
    static const uint16_t edges[] = {1, 512}, index[5] = {0};
    const size_t huge = SIZE_MAX / LK_AUDIO_HOP + 2; /* whose number of samples, modulo SIZE_MAX + 1, is small */
    check(k->audio_mark(NULL, 1, 4096, huge, NULL, NULL, edges, 1, NULL, 1, 0, NULL, NULL, NULL, NULL) == LK_BAD_ARGUMENT,
          "refusal of frames beyond memory");
    check(k->audio_spectrum(NULL, 4096, huge, LK_AUDIO_HOP, NULL, NULL, 2, 512, NULL, NULL) == LK_BAD_ARGUMENT,
          "refusal of spectra beyond memory");
    check(k->audio_spectrum(NULL, 4096, 2, 0, NULL, NULL, 2, 512, NULL, NULL) == LK_BAD_ARGUMENT, "refusal of hop 0");
    check(k->audio_resample(NULL, 64, NULL, 1, 16, 1, SIZE_MAX, 0, NULL, 3) == LK_BAD_ARGUMENT,
          "refusal of a step beyond memory");
    check(k->audio_resample(NULL, 64, NULL, 1, 16, 1, 1, SIZE_MAX, NULL, 2) == LK_BAD_ARGUMENT,
          "refusal of a position beyond memory");
    const double paces[] = {NAN, INFINITY, -1.0, 0.0, 1e300};
    for (size_t i = 0; i < 5; i++)
        check(k->audio_chips(NULL, 1, 9, index, NULL, NULL, NULL, NULL, 4, paces[i], 1, NULL, NULL) == LK_BAD_ARGUMENT,
              "refusal of a pace");
    struct lk_audio_stream form = {.channels = 1, .room = 9, .far_room = 9, .up = 1, .down = 1, .edges = edges, .bands = 1,
                                   .period = 1, .down_phases = 1, .up_phases = 1};
    const int64_t wrong[][2] = {{0, 10}, {1, 10}, {2, 1}, {3, 1 << 20}, {6, 10}, {1, -1}, {4, -1}, {7, (int64_t)1 << 40}};
    for (size_t i = 0; i < 8; i++) {
        int64_t counts[LK_AUDIO_STREAM_COUNTS] = {0};
        counts[wrong[i][0]] = wrong[i][1];
        check(k->audio_stream(&form, NULL, 0, 0, counts, NULL, NULL, NULL, 0) == LK_BAD_ARGUMENT, "refusal of a count");
    }
    check(k->audio_rows(NULL, 0, 0, NULL, 1, NULL, NULL) == LK_BAD_ARGUMENT, "refusal of no pairs");
    check(k->audio_resample(NULL, 0, NULL, 1, 15, 1, 1, 0, NULL, 0) == LK_BAD_ARGUMENT, "refusal of 15 taps");
}

int main(void) {
    lk_isa_use(LK_ISA_SCALAR);
    const uint32_t want = everything();
    for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
        if (lk_isa_use((enum lk_isa)isa) == LK_OK) check(everything() == want, "equal bits");
    const uint32_t seen = exact();
    printf("digest of what needs no C library: %08x\n", (unsigned)seen);
    check(seen == 0x6ada7f55u, "the bits of every platform");
    refusals();
    printf(failures ? "%d checks failed\n" : "all checks passed\n", failures);
    return failures != 0;
}
