/* SPDX-License-Identifier: Apache-2.0
 *
 * The entropy-coded segment of a baseline JPEG (ITU-T T.81). A strip of SPAN x 8 or 16 pixels at a time goes through
 * colours, transform and codes, all in the first-level cache. The transforms run over LANES blocks side by side, so that
 * the inner loops are plain and the compiler vectorises them; nothing is transposed.
 */
#include <string.h>

#include "isa.h"

enum { SPAN = 256, LANES = SPAN / 8, BLOCK = 64 };

static const uint8_t order[BLOCK] = { /* where the k-th coefficient in zigzag stands, columns first; T.81 figure 5 */
     0,  8,  1,  2,  9, 16, 24, 17, 10,  3,  4, 11, 18, 25, 32, 40,
    33, 26, 19, 12,  5,  6, 13, 20, 27, 34, 41, 48, 56, 49, 42, 35,
    28, 21, 14,  7, 15, 22, 29, 36, 43, 50, 57, 58, 51, 44, 37, 30,
    23, 31, 38, 45, 52, 59, 60, 53, 46, 39, 47, 54, 61, 62, 55, 63};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Colours */

struct planes { uint8_t y[16][SPAN], c[2][16][SPAN]; }; /* c: Cb and Cr; subsampled, they share the rows of the first */

/* (256 a + b) >> 16 of sums in units of 2^-16 that are taken apart into a and b, so that 16 bits are enough */
static inline uint8_t upper(uint16_t a, uint16_t b) { return (uint8_t)((uint16_t)(a + (b >> 8)) >> 8); }

/* The three channels of SPAN pixels, apart. Compilers make a long detour of steps of three, so they are told the way. */
#if defined(__has_builtin) && !LK_ISA_scalar
#if __has_builtin(__builtin_shufflevector)
#define LK_SHUFFLE __builtin_shufflevector
#endif
#endif
static inline void separate(const uint8_t *restrict x, uint8_t *restrict r, uint8_t *restrict g, uint8_t *restrict b) {
#ifdef LK_SHUFFLE
    typedef uint8_t vector __attribute__((vector_size(16)));
    for (size_t i = 0; i < SPAN; i += 16, x += 48) {
        vector p, q, s, red, green, blue;
        memcpy(&p, x, 16), memcpy(&q, x + 16, 16), memcpy(&s, x + 32, 16);
        red = LK_SHUFFLE(p, q, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
        green = LK_SHUFFLE(p, q, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
        blue = LK_SHUFFLE(p, q, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
        red = LK_SHUFFLE(red, s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
        green = LK_SHUFFLE(green, s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
        blue = LK_SHUFFLE(blue, s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);
        memcpy(r + i, &red, 16), memcpy(g + i, &green, 16), memcpy(b + i, &blue, 16);
    }
#else
    for (size_t i = 0; i < SPAN; i++) r[i] = x[3 * i], g[i] = x[3 * i + 1], b[i] = x[3 * i + 2];
#endif
}

/* ITU-R BT.601 over the full range: 19595, 38470 and 7471 make Y; -11059, -21709 and 32768 Cb; 32768, -27439 and -5329
 * Cr, in units of 2^-16. */
static void convert(const uint8_t *restrict x, uint8_t *restrict y, uint8_t *restrict cb, uint8_t *restrict cr) {
    uint8_t reds[SPAN], greens[SPAN], blues[SPAN];
    separate(x, reds, greens, blues);
    for (size_t i = 0; i < SPAN; i++) {
        uint16_t r = reds[i], g = greens[i], b = blues[i];
        uint16_t blue = (uint16_t)(32767 - 51 * r - 205 * g), red = (uint16_t)(32767 - 47 * g - 209 * b);
        y[i] = upper((uint16_t)(76 * r + 150 * g + 29 * b + 128), (uint16_t)(139 * r + 70 * g + 47 * b));
        cb[i] = upper((uint16_t)(128 * b - 43 * r - 84 * g + 32640), (uint16_t)(blue + 32768));
        cr[i] = upper((uint16_t)(128 * r - 107 * g - 20 * b + 32640), (uint16_t)(red + 32768));
    }
}

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

/* Transform */

/* One dimension of the discrete cosine transform by Loeffler, Ligtenberg and Moschytz (1989), in units of 2^-13; 0 and 4
 * come without that factor. */
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

/* Rows: from the samples of eight rows to int16 [u][y][lane], scaled by 4. */
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

/* What divides: 1 over eight times each quantiser, and half of that plus a half, at [u][v]. */
struct divisors { float inverse[BLOCK], half[BLOCK]; };

/* Columns, then divided with halves away from 0: int16 [u][v][lane]. Sums are whole numbers below 2^17, so that
 * their products with the inverse are on the right side of every whole number. */
static void transform_columns(const int16_t *restrict in, const struct divisors *by, int16_t *restrict out) {
    for (size_t u = 0; u < 8; u++, in += 8 * LANES, out += 8 * LANES) {
        float inverse[8], half[8];
        memcpy(inverse, by->inverse + 8 * u, sizeof inverse), memcpy(half, by->half + 8 * u, sizeof half);
        for (size_t i = 0; i < LANES; i++) {
            int32_t d[8], t[8];
            for (size_t k = 0; k < 8; k++) d[k] = in[k * LANES + i];
            transform(d, t);
            for (size_t v = 0; v < 8; v++) {
                int32_t c = v % 4 ? (t[v] + 16384) >> 15 : (t[v] + 2) >> 2, size = c < 0 ? -c : c;
                int32_t q = (int32_t)(((float)size + half[v]) * inverse[v]);
                out[v * LANES + i] = (int16_t)(c < 0 ? -q : q);
            }
        }
    }
}

/* Codes */

/* The coefficients of LANES blocks as they are coded: the bits of each, and how many. */
struct coefficients {
    int32_t level[LANES];  /* DC */
    uint64_t some[LANES];  /* bit k where the k-th in zigzag is not 0 */
    uint32_t value[BLOCK][LANES]; /* the size, the bits from bit 4 on */
};

/* Sizes and bits of LANES values; bit k of `some` is set where they are not 0. The exponent of a whole number as a float
 * is its size. */
static void measure(const int16_t *restrict value, unsigned k, uint32_t *restrict coded, uint16_t *restrict some) {
    for (size_t i = 0; i < LANES; i++) {
        int32_t v = value[i];
        float magnitude = (float)(v < 0 ? -v : v) + 0.5f;
        uint32_t form;
        memcpy(&form, &magnitude, sizeof form);
        uint32_t size = (form >> 23) - 126;
        coded[i] = ((uint32_t)(v + (v >> 31)) & ((1u << size) - 1)) << 4 | size;
        some[i] = (uint16_t)(some[i] | (uint32_t)(v | -v) >> 31 << k);
    }
}

static void quantised(const uint8_t (*rows)[SPAN], const struct divisors *by, struct coefficients *c) {
    int16_t between[BLOCK * LANES], value[BLOCK * LANES];
    uint16_t some[4][LANES] = {{0}};
    transform_rows(rows, between);
    transform_columns(between, by, value);
    for (unsigned k = 0; k < BLOCK; k++) measure(value + order[k] * LANES, k % 16, c->value[k], some[k / 16]);
    for (size_t i = 0; i < LANES; i++) {
        c->level[i] = value[i];
        c->some[i] = some[0][i] | (uint64_t)some[1][i] << 16 | (uint64_t)some[2][i] << 32 | (uint64_t)some[3][i] << 48;
    }
}

static inline unsigned lowest(uint64_t x) { /* the lowest bit that is set */
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(x);
#else
    unsigned n = 0;
    while (!(x & 1)) x >>= 1, n++;
    return n;
#endif
}

static inline unsigned bits_of(uint32_t x) { /* how many bits x takes */
#if defined(__GNUC__)
    return x ? 32u - (unsigned)__builtin_clz(x) : 0;
#else
    unsigned n = 0;
    while (x) x >>= 1, n++;
    return n;
#endif
}

struct writer { uint64_t held; unsigned count; uint8_t *at; }; /* `count` bits, below 8, wait at the upper end of `held` */

static inline void store(uint8_t *at, uint64_t word) { /* the highest byte first */
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++) bytes[i] = (uint8_t)(word >> (56 - 8 * i));
    memcpy(at, bytes, 8);
}

/* 1 to 56 bits. Whole bytes are passed over without a branch, which nothing could foresee. */
static inline void put(struct writer *w, uint64_t bits, unsigned count) {
    w->held |= bits << ((64 - w->count - count) & 63);
    store(w->at, w->held);
    w->count += count;
    w->at += w->count / 8, w->held <<= w->count & 56, w->count %= 8;
}

static inline void put_code(struct writer *w, uint32_t entry, uint32_t bits) {
    put(w, entry >> 5 | bits, entry & 31);
}

enum { AC = 16, CODES = LK_JPEG_CODES, END = AC, ZEROS = AC + 0xF0 }; /* in a table: those of DC, then those of AC */

/* The coefficients but the first: two at a time go to the writer, where each waits for the one before. */
static inline void put_rest(struct writer *w, uint64_t left, const uint32_t *value, const uint32_t *codes) {
    for (unsigned before = 0, k; left; before = k) {
        k = lowest(left), left &= left - 1;
        unsigned run = k - before - 1;
        for (; run > 15; run -= 16) put_code(w, codes[ZEROS - AC], 0);
        uint32_t coded = value[k * LANES], entry = codes[run << 4 | (coded & 15)];
        uint64_t bits = entry >> 5 | coded >> 4;
        unsigned count = entry & 31;
        if (left && (run = lowest(left) - k - 1) < 16) {
            k = lowest(left), left &= left - 1;
            coded = value[k * LANES], entry = codes[run << 4 | (coded & 15)];
            bits = bits << (entry & 31) | (entry >> 5 | coded >> 4), count += entry & 31;
        }
        put(w, bits, count);
    }
}

static inline void put_block(struct writer *w, const struct coefficients *c, size_t lane, const uint32_t *codes,
                             int32_t *last) {
    int32_t difference = c->level[lane] - *last;
    *last += difference;
    unsigned size = bits_of((uint32_t)(difference < 0 ? -difference : difference));
    put_code(w, codes[size & 15], (uint32_t)(difference < 0 ? difference - 1 : difference) & ((1u << size) - 1));
    codes += AC;
    put_rest(w, c->some[lane] & ~UINT64_C(1), c->value[0] + lane, codes);
    if (!(c->some[lane] >> 63)) put_code(w, codes[END - AC], 0);
}

/* A block outside the picture that fills up an MCU: the level of the block before. */
static inline void put_filler(struct writer *w, const uint32_t *codes) {
    put_code(w, codes[0], 0), put_code(w, codes[END], 0);
}

/* Bytes of coded data; each of 255 is followed by 0 (T.81 F.1.2.3). */
static uint8_t *stuffed(const uint8_t *from, const uint8_t *end, uint8_t *to) {
    while (from < end) {
        uint64_t word;
        if (end - from >= 8) {
            memcpy(&word, from, 8);
            if (!(word & ~(word + UINT64_C(0x0101010101010101)) & UINT64_C(0x8080808080808080))) { /* none of 255 */
                memcpy(to, &word, 8), from += 8, to += 8;
                continue;
            }
        }
        const uint8_t *stop = from + least((size_t)(end - from), 8);
        while (from < stop) {
            *to++ = *from;
            if (*from++ == 255) *to++ = 0;
        }
    }
    return to;
}

struct picture { size_t across, down, colours, blocks_across, blocks_down; };

/* The MCUs of one strip, whose first block is at (column, row) in blocks. */
static void put_strip(struct writer *writer, const struct picture *p, const struct coefficients *luma,
                      const struct coefficients *chroma, const uint32_t *codes, size_t column, size_t row, int32_t *last) {
    struct writer w = *writer;
    size_t count = least(LANES, p->blocks_across - column), mcus = (count + p->across - 1) / p->across;
    for (size_t m = 0; m < mcus; m++) {
        for (size_t v = 0; v < p->down; v++)
            for (size_t h = 0; h < p->across; h++) {
                size_t lane = m * p->across + h;
                if (lane < count && row + v < p->blocks_down)
                    put_block(&w, luma + v, lane, codes, last);
                else
                    put_filler(&w, codes);
            }
        for (size_t k = 0; k < p->colours; k++) /* subsampled, Cr stands in the right half of Cb's lanes */
            put_block(&w, chroma + (p->across == 1 ? k : 0), p->across == 1 ? m : m + k * LANES / 2, codes + CODES,
                      last + 1 + k);
    }
    *writer = w;
}

/* The divisors; and each code with room for the bits that follow it, the length of both in the lowest five bits. */
static int prepare(const uint16_t *quantisers, const uint32_t *codes, struct divisors *by, uint32_t *table) {
    for (size_t i = 0; i < 2 * CODES; i++) {
        uint32_t length = codes[i] & 255, code = codes[i] >> 8, size = i % CODES % 16;
        if (length > 16 || code >> length) return 0;
        table[i] = size > 11 ? 0 : code << (size + 5) | (length + size);
    }
    for (size_t i = 0; i < 2 * BLOCK; i++) {
        if (!quantisers[i] || quantisers[i] > 255) return 0;
        size_t at = i % 8 * 8 + i / 8 % 8;
        by[i / BLOCK].inverse[at] = 1.0f / (float)(8 * quantisers[i]);
        by[i / BLOCK].half[at] = 4.0f * (float)quantisers[i] + 0.5f;
    }
    return 1;
}

int LK(lk_jpeg_scan)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels, size_t across,
                     size_t down, const uint16_t *quantisers, const uint32_t *codes, uint8_t *out, size_t room,
                     int64_t *size) {
    struct divisors by[2];
    uint32_t table[2 * CODES];
    if (!height || !width || (channels != 1 && channels != 3)) return LK_BAD_ARGUMENT;
    if (across < 1 || across > 2 || down < 1 || down > across || (channels == 1 && across > 1)) return LK_BAD_ARGUMENT;
    if (!prepare(quantisers, codes, by, table)) return LK_BAD_ARGUMENT;
    struct picture p = {across, down, channels - 1, (width + 7) / 8, (height + 7) / 8};
    uint8_t strip[3 * LANES * LK_JPEG_BLOCK / 2 + 16], *at = out; /* without the zeros after 255 */
    struct writer w = {0, 0, strip};
    struct planes planes;
    struct coefficients luma[2], chroma[2];
    int32_t last[3] = {0};
    *size = 0;
    for (size_t y = 0; y < height; y += 8 * down)
        for (size_t x = 0; x < width; x += SPAN) {
            load(pixels, row_bytes, height, width, channels, x, y, across, down, &planes);
            size_t next_y = x + SPAN < width ? y : y + 8 * down, next_x = x + SPAN < width ? x + SPAN : 0;
            if (next_y < height)
                fetch(pixels + next_y * row_bytes + next_x * channels, row_bytes, least(8 * down, height - next_y),
                      least(SPAN, width - next_x) * channels);
            for (size_t v = 0; v < down; v++) quantised((const uint8_t (*)[SPAN])planes.y + 8 * v, by, luma + v);
            for (size_t k = 0; k < p.colours && k < 3 - across; k++)
                quantised((const uint8_t (*)[SPAN])planes.c[k], by + 1, chroma + k);
            put_strip(&w, &p, luma, chroma, table, x / 8, y / 8, last);
            if ((size_t)(out + room - at) < 2 * (size_t)(w.at - strip) + 32) return LK_OK;
            at = stuffed(strip, w.at, at), w.at = strip;
        }
    if (w.count) { /* ones up to a whole byte */
        uint8_t byte = (uint8_t)(w.held >> 56 | 255u >> w.count);
        at = stuffed(&byte, &byte + 1, at);
    }
    *size = (int64_t)(at - out);
    return LK_OK;
}
