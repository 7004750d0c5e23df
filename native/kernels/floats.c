/* SPDX-License-Identifier: Apache-2.0
 *
 * Floats from 0 to 1 to levels and back. Interleaved rows and planes of three, as arrays and tensors hold pictures, have
 * loops of their own, which the compiler makes vectors of.
 */
#include "isa.h"

/* halves to even, as rintf does */
static inline uint8_t level(float x) {
    const float inside = x >= 0.0f ? x <= 1.0f ? x : 1.0f : 0.0f; /* what is no number is 0 */
    return (uint8_t)(int32_t)((inside * 255.0f + 12582912.0f) - 12582912.0f);
}

static inline uint32_t is_outside(float x) { return !(x >= 0.0f && x <= 1.0f); }

static uint32_t quantise_row(const float *x, size_t width, size_t channels, size_t across, size_t deep, uint8_t *out) {
    uint32_t outside = 0;
    if (deep == 1 && across == channels)
        for (size_t i = 0; i < width * channels; i++) outside += is_outside(x[i]), out[i] = level(x[i]);
    else if (across == 1 && channels == 3)
        for (size_t i = 0; i < width; i++) {
            const float r = x[i], g = x[i + deep], b = x[i + 2 * deep];
            outside += is_outside(r) + is_outside(g) + is_outside(b);
            out[3 * i] = level(r), out[3 * i + 1] = level(g), out[3 * i + 2] = level(b);
        }
    else
        for (size_t i = 0; i < width; i++)
            for (size_t c = 0; c < channels; c++, out++) {
                const float value = x[i * across + c * deep];
                outside += is_outside(value), *out = level(value);
            }
    return outside;
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
        for (size_t i = 0; i < width * channels; i++) out[i] = x[i] / 255.0f;
    else if (across == 1 && channels == 3)
        for (size_t i = 0; i < width; i++) {
            out[i] = x[3 * i] / 255.0f, out[i + deep] = x[3 * i + 1] / 255.0f;
            out[i + 2 * deep] = x[3 * i + 2] / 255.0f;
        }
    else
        for (size_t i = 0; i < width; i++)
            for (size_t c = 0; c < channels; c++) out[i * across + c * deep] = *x++ / 255.0f;
}

int LK(lk_floats_expand)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels, float *out,
                         const size_t *strides) {
    if (channels < 1 || channels > 4) return LK_BAD_ARGUMENT;
    for (size_t y = 0; y < height; y++)
        expand_row(pixels + y * row_bytes, width, channels, strides[1], strides[2], out + y * strides[0]);
    return LK_OK;
}
