/* SPDX-License-Identifier: Apache-2.0
 *
 * Floats from 0 to 1 to levels and back. Interleaved rows and planes of three, as arrays and tensors hold pictures, have
 * loops of their own, which the compiler makes vectors of.
 */
#include <string.h>

#include "isa.h"

static inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The level of a sample from 0 to 1, halves to even: the lowest bits of the sum with 1.5 * 2^23. */
static inline uint8_t level(float x) { return (uint8_t)bits_of(x * 255.0f + 12582912.0f); }

/* The highest bit is set where x is not from 0 to 1: numbers from 0 up have the order of their bits, below 0 the sign is set.
 * The sum makes +0 of -0. */
static inline uint32_t is_outside(float x) {
    const uint32_t bits = bits_of(x + 0.0f);
    return bits | (0x3f800000u - bits);
}

/* The quotient by 255, to the bit for all 256 levels: the first product is exact, as its factor has 9 significant bits. */
static inline float share(uint8_t x) {
    const float first = 257.0f / 65536.0f, rest = (float)(1.0 / 255.0 - 257.0 / 65536.0);
    return (float)x * first + (float)x * rest;
}

/* A row whose samples may lie anywhere, and how many of them are outside. */
static uint32_t quantise_any(const float *x, size_t width, size_t channels, size_t across, size_t deep, uint8_t *out) {
    uint32_t outside = 0;
    for (size_t i = 0; i < width; i++)
        for (size_t c = 0; c < channels; c++, out++) {
            const float value = x[i * across + c * deep] + 0.0f; /* what is no number is quiet: NEON's maximum passes others */
            const float above = value > 0.0f ? value : 0.0f;
            outside += is_outside(value) >> 31, *out = level(above < 1.0f ? above : 1.0f);
        }
    return outside;
}

static uint32_t quantise_row(const float *x, size_t width, size_t channels, size_t across, size_t deep, uint8_t *out) {
    uint32_t outside = 0;
    if (deep == 1 && across == channels)
        for (size_t i = 0; i < width * channels; i++) outside |= is_outside(x[i]), out[i] = level(x[i]);
    else if (across == 1 && channels == 3)
        for (size_t i = 0; i < width; i++) {
            const float r = x[i], g = x[i + deep], b = x[i + 2 * deep];
            outside |= is_outside(r) | is_outside(g) | is_outside(b);
            out[3 * i] = level(r), out[3 * i + 1] = level(g), out[3 * i + 2] = level(b);
        }
    else
        outside = 1u << 31;
    return outside >> 31 ? quantise_any(x, width, channels, across, deep, out) : 0;
}

int LK(lk_floats_quantise)(const float *pixels, size_t height, size_t width, size_t channels, const size_t *strides,
                           uint8_t *out, int64_t *outside) {
    if (channels < 1 || channels > 4) return LK_BAD_ARGUMENT;
    *outside = 0;
    for (size_t y = 0; y < height; y++, out += width * channels)
        *outside += quantise_row(pixels + y * strides[0], width, channels, strides[1], strides[2], out);
    return LK_OK;
}

static void expand_row(const uint8_t *x, size_t width, size_t channels, size_t across, size_t deep, float *out) {
    if (deep == 1 && across == channels)
        for (size_t i = 0; i < width * channels; i++) out[i] = share(x[i]);
    else if (across == 1 && channels == 3)
        for (size_t i = 0; i < width; i++) {
            out[i] = share(x[3 * i]), out[i + deep] = share(x[3 * i + 1]);
            out[i + 2 * deep] = share(x[3 * i + 2]);
        }
    else
        for (size_t i = 0; i < width; i++)
            for (size_t c = 0; c < channels; c++) out[i * across + c * deep] = share(*x++);
}

int LK(lk_floats_expand)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels, float *out,
                         const size_t *strides) {
    if (channels < 1 || channels > 4) return LK_BAD_ARGUMENT;
    for (size_t y = 0; y < height; y++)
        expand_row(pixels + y * row_bytes, width, channels, strides[1], strides[2], out + y * strides[0]);
    return LK_OK;
}
