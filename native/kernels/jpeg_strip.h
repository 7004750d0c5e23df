/* SPDX-License-Identifier: Apache-2.0
 *
 * The first half of jpeg.c: a strip of SPAN x 8 or 16 pixels through colours and transform to quantised coefficients,
 * all in the first-level cache. The transforms run over LANES blocks side by side.
 */
#ifndef LK_KERNEL_JPEG_STRIP_H
#define LK_KERNEL_JPEG_STRIP_H

#include <string.h>

#include "isa.h"
#include "words.h"

enum { SPAN = 256, LANES = SPAN / 8, BLOCK = 64, REACH_BITS = 7, REACH = 1 << REACH_BITS };

static const uint8_t rank[BLOCK] = { /* where a coefficient stands in zigzag, by columns; T.81 figure 5 */
     0,  2,  3,  9, 10, 20, 21, 35,  1,  4,  8, 11, 19, 22, 34, 36,
     5,  7, 12, 18, 23, 33, 37, 48,  6, 13, 17, 24, 32, 38, 47, 49,
    14, 16, 25, 31, 39, 46, 50, 57, 15, 26, 30, 40, 45, 51, 56, 58,
    27, 29, 41, 44, 52, 55, 59, 62, 28, 42, 43, 53, 54, 60, 61, 63};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Colours */

struct planes { uint8_t y[16][SPAN], c[2][16][SPAN]; }; /* c: Cb and Cr; subsampled, they share the rows of the first */

/* ITU-R BT.601 over the full range: 19595, 38470 and 7471 make Y; -11059, -21709 and 32768 Cb; 32768, -27439 and -5329
 * Cr, in units of 2^-16. */
#ifdef LK_WORDS
/* What four dwords of three bytes each are apart: the first two as words, and the last two */
#define LK_FOUR(first, second) \
    first, -1, second, -1, first + 3, -1, second + 3, -1, first + 6, -1, second + 6, -1, first + 9, -1, second + 9, -1

static inline words sum_of(words a, words b, words factors_a, words factors_b) {
    return LK_WORDS(add_epi32)(LK_WORDS(madd_epi16)(a, factors_a), LK_WORDS(madd_epi16)(b, factors_b));
}

static inline words packed(const words *x, words order) { /* the bytes of four vectors of whole numbers below 256 */
    words low = LK_WORDS(packus_epi32)(x[0], x[1]), high = LK_WORDS(packus_epi32)(x[2], x[3]);
    words bytes = LK_WORDS(packus_epi16)(low, high);
#if LK_ISA_avx512
    return _mm512_permutexvar_epi32(order, bytes);
#else
    return _mm256_permutevar8x32_epi32(bytes, order);
#endif
}

/* The pairs of red and green, and of green and blue, of WORDS / 2 pixels */
static inline void apart(const uint8_t *x, words *reds, words *blues) {
#if LK_ISA_avx512
    const __m512i spread = _mm512_setr_epi32(0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11, 0);
    const __m512i pixels = _mm512_permutexvar_epi32(spread, _mm512_maskz_loadu_epi32(0x0FFF, x));
    *reds = _mm512_shuffle_epi8(pixels, _mm512_broadcast_i32x4(_mm_setr_epi8(LK_FOUR(0, 1))));
    *blues = _mm512_shuffle_epi8(pixels, _mm512_broadcast_i32x4(_mm_setr_epi8(LK_FOUR(1, 2))));
#else /* the upper lane is loaded from byte 8 on; its pixels start at byte 12 */
    const __m256i pixels = _mm256_loadu2_m128i((const __m128i *)(x + 8), (const __m128i *)x);
    *reds = _mm256_shuffle_epi8(pixels, _mm256_setr_epi8(LK_FOUR(0, 1), LK_FOUR(4, 5)));
    *blues = _mm256_shuffle_epi8(pixels, _mm256_setr_epi8(LK_FOUR(1, 2), LK_FOUR(5, 6)));
#endif
}

static void convert(const uint8_t *restrict x, uint8_t *restrict y, uint8_t *restrict cb, uint8_t *restrict cr) {
    const words half = LK_WORDS(set1_epi32)(32768), middle = LK_WORDS(set1_epi32)((128 << 16) + 32767);
#if LK_ISA_avx512
    const words order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
#else
    const words order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
#endif
    for (size_t i = 0; i < SPAN; i += 2 * WORDS) {
        words luma[4], blue[4], red[4];
        for (size_t k = 0; k < 4; k++, x += 3 * WORDS / 2) {
            words rg, gb;
            apart(x, &rg, &gb);
            words l = sum_of(rg, gb, words_pair(19595, 19235), words_pair(19235, 7471));
            words b = sum_of(rg, gb, words_pair(11059, 21709), words_pair(0, -32768));
            words r = sum_of(rg, gb, words_pair(-32768, 27439), words_pair(0, 5329));
            luma[k] = LK_WORDS(srli_epi32)(LK_WORDS(add_epi32)(l, half), 16);
            blue[k] = LK_WORDS(srli_epi32)(LK_WORDS(sub_epi32)(middle, b), 16);
            red[k] = LK_WORDS(srli_epi32)(LK_WORDS(sub_epi32)(middle, r), 16);
        }
        words_store(y + i, packed(luma, order));
        words_store(cb + i, packed(blue, order)), words_store(cr + i, packed(red, order));
    }
}
#else
/* (256 a + b) >> 16 of sums in units of 2^-16 that are taken apart into a and b, so that 16 bits are enough */
static inline uint8_t upper(uint16_t a, uint16_t b) { return (uint8_t)((uint16_t)(a + (b >> 8)) >> 8); }

static void convert(const uint8_t *restrict x, uint8_t *restrict y, uint8_t *restrict cb, uint8_t *restrict cr) {
    uint8_t reds[SPAN], greens[SPAN], blues[SPAN];
    for (size_t i = 0; i < SPAN; i++) reds[i] = x[3 * i], greens[i] = x[3 * i + 1], blues[i] = x[3 * i + 2];
    for (size_t i = 0; i < SPAN; i++) {
        uint16_t r = reds[i], g = greens[i], b = blues[i];
        uint16_t blue = (uint16_t)(32767 - 51 * r - 205 * g), red = (uint16_t)(32767 - 47 * g - 209 * b);
        y[i] = upper((uint16_t)(76 * r + 150 * g + 29 * b + 128), (uint16_t)(139 * r + 70 * g + 47 * b));
        cb[i] = upper((uint16_t)(128 * b - 43 * r - 84 * g + 32640), (uint16_t)(blue + 32768));
        cr[i] = upper((uint16_t)(128 * r - 107 * g - 20 * b + 32640), (uint16_t)(red + 32768));
    }
}
#endif

/* SPAN pixels of one row from x on; behind the last one it is repeated */
static void load_row(const uint8_t *row, size_t x, size_t width, size_t channels, struct planes *p, size_t to) {
    uint8_t padded[3 * SPAN];
    const uint8_t *from = row + x * channels;
    size_t count = least(SPAN, width - x);
    if (count < SPAN) {
        memcpy(padded, from, count * channels);
        for (size_t i = count * channels; i < SPAN * channels; i++) padded[i] = padded[i - channels];
        from = padded;
    }
    if (channels == 3)
        convert(from, p->y[to], p->c[0][to], p->c[1][to]);
    else
        memcpy(p->y[to], from, SPAN);
}

/* Means of two samples side by side, or of four; halves go down and up in turn, so that no tint adds up. */
static void halve(const uint8_t *row, const uint8_t *below, size_t down, uint8_t *restrict out) {
    if (down == 1)
        for (size_t i = 0; i < SPAN / 2; i++) out[i] = (uint8_t)((row[2 * i] + row[2 * i + 1] + (int)(i & 1)) >> 1);
    else
        for (size_t i = 0; i < SPAN / 2; i++)
            out[i] = (uint8_t)((row[2 * i] + row[2 * i + 1] + below[2 * i] + below[2 * i + 1] + 1 + (int)(i & 1)) >> 2);
}

/* The strip at (x, y). Below the picture the last row is repeated, of subsampled colours the last mean. */
static void load(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels, size_t x, size_t y,
                 size_t across, size_t down, struct planes *p) {
    size_t rows = 8 * down, inside = least(rows, height - y), means = (inside + down - 1) / down;
    for (size_t i = 0; i < inside; i++) load_row(pixels + (y + i) * row_bytes, x, width, channels, p, i);
    for (size_t i = inside; i < rows; i++) {
        memcpy(p->y[i], p->y[inside - 1], SPAN);
        for (size_t k = 0; k < 2 && channels == 3; k++) memcpy(p->c[k][i], p->c[k][inside - 1], SPAN);
    }
    for (size_t i = 0; i < 8 && across == 2; i++) {
        uint8_t both[2][SPAN / 2];
        for (size_t k = 0; k < 2 && i < means; k++)
            halve(p->c[k][down * i], p->c[k][down * i + 1], down, both[k]);
        memcpy(p->c[0][i], i < means ? (const uint8_t *)both : p->c[0][means - 1], SPAN);
    }
}

/* Asks for a strip before it is needed: short pieces of many rows are more streams than a processor foresees. */
static void fetch(const uint8_t *pixels, size_t row_bytes, size_t rows, size_t bytes) {
#if defined(__GNUC__)
    for (size_t i = 0; i < rows; i++)
        for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(pixels + i * row_bytes + at);
#else
    (void)pixels, (void)row_bytes, (void)rows, (void)bytes;
#endif
}

/* Transform: the discrete cosine transform by Loeffler, Ligtenberg and Moschytz (1989) in units of 2^-13, first of
 * rows, from samples to int16 [u][y][lane], scaled by 4; then of columns, which are divided with halves away from 0. */

/* What divides by eight times each quantiser, at [u][v]: half of it is added, the product with `factor` shifted down
 * by 16 and `shift` bits. Sums are below 2^14, so that a factor which is less than one too large gives the right whole
 * number. */
struct divisors { uint16_t half[BLOCK], factor[BLOCK], shift[BLOCK]; };

/* The coefficients of LANES blocks, in zigzag */
struct coefficients {
    int16_t value[BLOCK][LANES];
    uint16_t place[BLOCK + 2][LANES]; /* of all but the first, 2 REACH for each zero before it, and REACH + value */
    uint64_t some[LANES];             /* bit k where the k-th is not 0 */
    uint16_t largest[LANES];          /* of the sizes of all but the first */
};

#ifdef LK_WORDS
static inline size_t lane_of(size_t block) { /* as exchanges of neighbours leave them */
    enum { PER = WORDS / 4 };
    return block / WORDS * WORDS + block % PER * 4 + block % WORDS / PER;
}

static inline words scaled(struct sums x, int down) {
    return LK_WORDS(packs_epi32)(LK_WORDS(srai_epi32)(x.low, down), LK_WORDS(srai_epi32)(x.high, down));
}

/* One dimension: products of two at a time in one step. All are shifted down by `down` bits but 0 and 4, which come
 * without the factor. */
static inline void transform(const words *d, words *out, int down) {
    words s[4], f[4];
    for (size_t k = 0; k < 4; k++)
        s[k] = LK_WORDS(add_epi16)(d[k], d[7 - k]), f[k] = LK_WORDS(sub_epi16)(d[k], d[7 - k]);
    words even = LK_WORDS(add_epi16)(s[0], s[3]), odd = LK_WORDS(add_epi16)(s[1], s[2]);
    out[0] = LK_WORDS(add_epi16)(even, odd), out[4] = LK_WORDS(sub_epi16)(even, odd);
    const words half = LK_WORDS(set1_epi32)(1 << (down - 1));
    const struct sums halves = {half, half};
    struct sums ab = words_interleaved(LK_WORDS(sub_epi16)(s[0], s[3]), LK_WORDS(sub_epi16)(s[1], s[2]));
    out[2] = scaled(words_plus(words_dot(ab, words_pair(10703, 4433)), halves), down);
    out[6] = scaled(words_plus(words_dot(ab, words_pair(4433, -10704)), halves), down);
    struct sums z = words_interleaved(LK_WORDS(add_epi16)(f[3], f[1]), LK_WORDS(add_epi16)(f[2], f[0]));
    struct sums z3 = words_plus(words_dot(z, words_pair(-6436, 9633)), halves);
    struct sums z4 = words_plus(words_dot(z, words_pair(9633, 6437)), halves);
    struct sums outer = words_interleaved(f[0], f[3]), inner = words_interleaved(f[1], f[2]);
    out[1] = scaled(words_plus(words_dot(outer, words_pair(4926, -7373)), z4), down);
    out[3] = scaled(words_plus(words_dot(inner, words_pair(4177, -20995)), z3), down);
    out[5] = scaled(words_plus(words_dot(inner, words_pair(-20995, -4176)), z4), down);
    out[7] = scaled(words_plus(words_dot(outer, words_pair(-7373, -4927)), z3), down);
}

/* From a row of 2 WORDS samples: the k-th of each block, for each k */
static inline void samples_of(const uint8_t *row, words *x) {
    enum { BYTES = 2 * WORDS };
    const words a = words_load(row), b = words_load(row + BYTES), zero = words_zero();
    const words c = words_load(row + 2 * BYTES), d = words_load(row + 3 * BYTES);
    const words even = LK_WORDS(unpacklo_epi8)(a, c), odd = LK_WORDS(unpackhi_epi8)(a, c);
    const words even_too = LK_WORDS(unpacklo_epi8)(b, d), odd_too = LK_WORDS(unpackhi_epi8)(b, d);
    const words evens[2] = {LK_WORDS(unpacklo_epi8)(even, even_too), LK_WORDS(unpackhi_epi8)(even, even_too)};
    const words odds[2] = {LK_WORDS(unpacklo_epi8)(odd, odd_too), LK_WORDS(unpackhi_epi8)(odd, odd_too)};
    for (size_t k = 0; k < 2; k++) {
        words low = LK_WORDS(unpacklo_epi32)(evens[k], odds[k]), high = LK_WORDS(unpackhi_epi32)(evens[k], odds[k]);
        x[4 * k] = LK_WORDS(unpacklo_epi8)(low, zero), x[4 * k + 1] = LK_WORDS(unpackhi_epi8)(low, zero);
        x[4 * k + 2] = LK_WORDS(unpacklo_epi8)(high, zero), x[4 * k + 3] = LK_WORDS(unpackhi_epi8)(high, zero);
    }
}

static void transform_rows(const uint8_t (*rows)[SPAN], int16_t *restrict out) { /* 128 is taken off where it counts */
    for (size_t i = 0; i < LANES; i += WORDS)
        for (size_t y = 0; y < 8; y++) {
            words d[8], t[8];
            samples_of(rows[y] + 8 * i, d);
            transform(d, t, 11);
            t[0] = LK_WORDS(slli_epi16)(LK_WORDS(sub_epi16)(t[0], LK_WORDS(set1_epi16)(8 * 128)), 2);
            t[4] = LK_WORDS(slli_epi16)(t[4], 2);
            for (size_t u = 0; u < 8; u++) words_store(out + (u * 8 + y) * LANES + i, t[u]);
        }
}

static void transform_columns(const int16_t *restrict in, const struct divisors *by, struct coefficients *restrict c) {
    const words two = LK_WORDS(set1_epi16)(2);
    for (size_t i = 0; i < LANES; i += WORDS) {
        words largest = words_zero();
        for (size_t u = 0; u < 8; u++) {
            words d[8], t[8];
            for (size_t k = 0; k < 8; k++) d[k] = words_load(in + (u * 8 + k) * LANES + i);
            transform(d, t, 15);
            t[0] = LK_WORDS(srai_epi16)(LK_WORDS(add_epi16)(t[0], two), 2);
            t[4] = LK_WORDS(srai_epi16)(LK_WORDS(add_epi16)(t[4], two), 2);
            for (size_t v = 0; v < 8; v++) {
                const size_t at = 8 * u + v;
                words n = LK_WORDS(add_epi16)(LK_WORDS(abs_epi16)(t[v]), LK_WORDS(set1_epi16)((int16_t)by->half[at]));
                n = LK_WORDS(mulhi_epu16)(n, LK_WORDS(set1_epi16)((int16_t)by->factor[at]));
                n = LK_WORDS(srl_epi16)(n, _mm_cvtsi32_si128(by->shift[at]));
                largest = at ? LK_WORDS(max_epi16)(largest, n) : largest;
                words_store(c->value[rank[at]] + i, words_negate_like(n, t[v]));
            }
        }
        words_store(c->largest + i, largest);
    }
}

/* The places, and which are not 0, 16 at a time */
static void find(struct coefficients *c, uint16_t (*some)[LANES]) {
    const words start = LK_WORDS(set1_epi16)(REACH), step = LK_WORDS(set1_epi16)(2 * REACH);
    for (size_t i = 0; i < LANES; i += WORDS) {
        words zeros = words_zero();
        for (size_t part = 0; part < 4; part++) {
            words found = words_zero();
            for (size_t k = 16 * part; k < 16 * part + 16; k++) {
                words x = words_load(c->value[k] + i);
                found = words_or_if(found, LK_WORDS(set1_epi16)((int16_t)(1u << k % 16)), x);
                words_store(c->place[k] + i, LK_WORDS(add_epi16)(LK_WORDS(add_epi16)(x, start), zeros));
                zeros = k ? words_if_not(LK_WORDS(add_epi16)(zeros, step), x) : zeros;
            }
            words_store(some[part] + i, found);
        }
        words_store(c->place[BLOCK] + i, start), words_store(c->place[BLOCK + 1] + i, start);
    }
}
#else
static inline size_t lane_of(size_t block) { return block; }

/* One dimension; 0 and 4 come without the factor. */
static inline void transform(const int32_t *d, int32_t *out) {
    int32_t s0 = d[0] + d[7], s1 = d[1] + d[6], s2 = d[2] + d[5], s3 = d[3] + d[4];
    int32_t d0 = d[0] - d[7], d1 = d[1] - d[6], d2 = d[2] - d[5], d3 = d[3] - d[4];
    int32_t even = s0 + s3, odd = s1 + s2, a = s0 - s3, b = s1 - s2, turn = (a + b) * 4433;
    out[0] = even + odd, out[4] = even - odd;
    out[2] = turn + a * 6270, out[6] = turn - b * 15137;
    int32_t z1 = (d3 + d0) * -7373, z2 = (d2 + d1) * -20995, z3 = d3 + d1, z4 = d2 + d0, z5 = (z3 + z4) * 9633;
    z3 = z5 - z3 * 16069, z4 = z5 - z4 * 3196;
    out[1] = d0 * 12299 + z1 + z4, out[3] = d1 * 25172 + z2 + z3;
    out[5] = d2 * 16819 + z2 + z4, out[7] = d3 * 2446 + z1 + z3;
}

static void transform_rows(const uint8_t (*rows)[SPAN], int16_t *restrict out) {
    int16_t x[8][LANES];
    for (size_t y = 0; y < 8; y++) {
        for (size_t i = 0; i < LANES; i++)
            for (size_t k = 0; k < 8; k++) x[k][i] = (int16_t)(rows[y][8 * i + k] - 128);
        for (size_t i = 0; i < LANES; i++) {
            int32_t d[8], t[8];
            for (size_t k = 0; k < 8; k++) d[k] = x[k][i];
            transform(d, t);
            for (size_t u = 0; u < 8; u++)
                out[(u * 8 + y) * LANES + i] = (int16_t)(u % 4 ? (t[u] + 1024) >> 11 : t[u] * 4);
        }
    }
}

static void transform_columns(const int16_t *restrict in, const struct divisors *by, struct coefficients *restrict c) {
    uint16_t largest[LANES] = {0};
    for (size_t u = 0; u < 8; u++, in += 8 * LANES) {
        int16_t sums[8][LANES];
        for (size_t i = 0; i < LANES; i++) {
            int32_t d[8], t[8];
            for (size_t k = 0; k < 8; k++) d[k] = in[k * LANES + i];
            transform(d, t);
            for (size_t v = 0; v < 8; v++) sums[v][i] = (int16_t)(v % 4 ? (t[v] + 16384) >> 15 : (t[v] + 2) >> 2);
        }
        for (size_t v = 0; v < 8; v++) {
            const uint16_t half = by->half[8 * u + v], factor = by->factor[8 * u + v], shift = by->shift[8 * u + v];
            int16_t *restrict to = c->value[rank[8 * u + v]];
            for (size_t i = 0; i < LANES; i++) {
                int16_t x = sums[v][i], sign = (int16_t)(x >> 15);
                uint16_t n = (uint16_t)((uint16_t)((x ^ sign) - sign) + half);
                uint16_t q = (uint16_t)((uint16_t)((uint32_t)n * factor >> 16) >> shift);
                to[i] = (int16_t)((q ^ sign) - sign);
                largest[i] = u + v && q > largest[i] ? q : largest[i];
            }
        }
    }
    memcpy(c->largest, largest, sizeof largest);
}

/* The places, and which are not 0, 16 at a time */
static void find(struct coefficients *c, uint16_t (*some)[LANES]) {
    uint16_t zeros[LANES] = {0};
    memset(some, 0, 4 * sizeof *some);
    for (size_t k = 0; k < BLOCK; k++)
        for (size_t i = 0; i < LANES; i++) {
            uint16_t x = (uint16_t)c->value[k][i], none = (uint16_t)(0 - (x == 0));
            some[k / 16][i] = (uint16_t)(some[k / 16][i] | ((1u << k % 16) & ~none));
            c->place[k][i] = (uint16_t)(x + REACH + zeros[i]);
            zeros[i] = k ? (uint16_t)((zeros[i] + 2 * REACH) & none) : 0;
        }
    for (size_t i = 0; i < LANES; i++) c->place[BLOCK][i] = c->place[BLOCK + 1][i] = REACH;
}
#endif

static void quantised(const uint8_t (*rows)[SPAN], const struct divisors *by, struct coefficients *c) {
    int16_t between[BLOCK * LANES];
    uint16_t some[4][LANES];
    transform_rows(rows, between);
    transform_columns(between, by, c);
    find(c, some);
    for (size_t i = 0; i < LANES; i++)
        c->some[i] = some[0][i] | (uint64_t)some[1][i] << 16 | (uint64_t)some[2][i] << 32 | (uint64_t)some[3][i] << 48;
}

#endif
