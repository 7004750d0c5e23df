/* SPDX-License-Identifier: Apache-2.0
 *
 * The entropy-coded segment of a baseline JPEG (ITU-T T.81). What a strip becomes (jpeg_strip.h) is coded here.
 */
#include "jpeg_strip.h"

#if defined(__GNUC__) /* a function of its own has the registers for itself */
#define LK_APART __attribute__((noinline))
#else
#define LK_APART
#endif

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

/* An entry: bits from bit 8 on, and how many below them. */
static inline uint64_t entry_of(uint32_t code, uint32_t bits, unsigned size) { /* a code as handed in; bits behind it */
    return ((uint64_t)(code >> 8) << size | bits) << 8 | ((code & 255) + size);
}

/* That of a level after as many zeros as `codes` is for */
static inline uint64_t entry_of_level(const uint32_t *codes, int32_t level) {
    unsigned size = bits_of((uint32_t)(level < 0 ? -level : level));
    return entry_of(codes[size & 15], (uint32_t)(level < 0 ? level - 1 : level) & ((1u << size) - 1), size);
}

/* The last `count` bits of `held`, below 8, wait. What ends a block is written with the next one. */
struct writer { uint64_t held, count; uint8_t *at; uint64_t end; };

static inline void store(uint8_t *at, uint64_t word) { /* the highest byte first */
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++) bytes[i] = (uint8_t)(word >> (56 - 8 * i));
    memcpy(at, bytes, 8);
}

/* Up to 56 bits. Whole bytes are passed over without a branch, which nothing could foresee. */
static inline void put_bits(struct writer *w, uint64_t bits, uint64_t count) {
    w->held = w->held << (count & 63) | bits;
    count += w->count;
    store(w->at, w->held << (-count & 63));
    w->at += count / 8, w->count = count % 8;
}

static inline void put(struct writer *w, uint64_t first, uint64_t second) {
    put_bits(w, first >> 8 << (second & 63) | second >> 8, (first + second) & 255);
}

enum { AC = 16, CODES = LK_JPEG_CODES, END = AC, ZEROS = AC + 0xF0 }; /* in a table: those of DC, then those of AC */

/* The entries of small levels after `run` zeros, at run * 2 REACH + REACH + level; 0 for a level of 0. */
struct entries { uint32_t of[16 * 2 * REACH]; };

static void fill(const uint32_t *codes, struct entries *p) {
    for (size_t run = 0; run < 16; run++) {
        uint32_t *middle = p->of + (2 * run + 1) * REACH;
        middle[-REACH] = middle[0] = 0;
        for (unsigned size = 1; size <= REACH_BITS; size++) {
            uint32_t count = 1u << (size - 1), first = (uint32_t)entry_of(codes[AC + (run << 4 | size)], 0, size);
            uint32_t *least = middle + 1 - 2 * (int32_t)count;
            for (uint32_t k = 0; k < count; k++)
                least[k] = first + (k << 8), middle[count + k] = first + ((count + k) << 8);
        }
    }
}

/* The coefficients but the first of any block. The writer is a copy, so that that of the others stays in registers. */
static struct writer put_any(struct writer w, uint64_t left, const int16_t *value, const uint32_t *codes) {
    for (unsigned before = 0, k; left; before = k) {
        k = lowest(left), left &= left - 1;
        unsigned run = k - before - 1;
        for (; run > 15; run -= 16) put(&w, 0, entry_of(codes[ZEROS], 0, 0));
        put(&w, 0, entry_of_level(codes + AC + (run << 4), value[k * LANES]));
    }
    return w;
}

/* The lowest bit that is set, of which bit 63 is none; 63 or 64 where none is set */
static inline size_t lowest_or_last(uint64_t x) {
#if defined(LK_WORDS) && defined(__BMI__)
    return _tzcnt_u64(x);
#else
    return lowest(x | UINT64_C(1) << 63);
#endif
}

/* The same where none is large and none stands behind more than 15 zeros: four at a time go to the writer, where each
 * step waits for the one before. Behind the last one come levels of 0, which have no bits. */
static inline void put_small(struct writer *w, uint64_t left, const uint16_t *place, const struct entries *entries) {
    for (left >>= 1, place += LANES; left;) {
        uint32_t of[4];
        for (size_t i = 0; i < 4; i++) of[i] = entries->of[place[lowest_or_last(left) * LANES]], left &= left - 1;
        uint64_t bits = (uint64_t)(of[0] >> 8) << (of[1] & 63) | of[1] >> 8;
        uint64_t more = (uint64_t)(of[2] >> 8) << (of[3] & 63) | of[3] >> 8;
        uint32_t first = (of[0] + of[1]) & 255, second = (of[2] + of[3]) & 255, count = first + second;
        if (count > 56) {
            put_bits(w, bits, first);
            bits = 0, count = second;
        }
        put_bits(w, bits << (second & 63) | more, count);
    }
}

/* Whether a bit of `some` stands behind more than 15 zeros. */
static inline int has_gap(uint64_t some) {
    uint64_t near = some | some << 1;
    near |= near << 2, near |= near << 4, near |= near << 8;
    return (some & ~(near << 1) & ~UINT64_C(1)) != 0;
}

static inline void put_block(struct writer *w, const struct coefficients *c, size_t lane, const uint32_t *codes,
                             const struct entries *entries, int32_t *last) {
    const int16_t *value = c->value[0] + lane;
    uint64_t some = c->some[lane] | 1;
    put(w, w->end, entry_of_level(codes, value[0] - *last));
    *last = value[0];
    if (c->largest[lane] >= REACH || has_gap(some))
        *w = put_any(*w, some & ~UINT64_C(1), value, codes);
    else
        put_small(w, some, c->place[0] + lane, entries);
    w->end = some >> 63 ? 0 : entry_of(codes[END], 0, 0);
}

/* A block outside the picture that fills up an MCU: the level of the block before. */
static inline void put_filler(struct writer *w, const uint32_t *codes) {
    put(w, w->end, entry_of(codes[0], 0, 0));
    w->end = entry_of(codes[END], 0, 0);
}

/* Bytes of coded data; each of 255 is followed by 0 (T.81 F.1.2.3). */
static uint8_t *stuffed(const uint8_t *from, const uint8_t *end, uint8_t *to) {
    while (from < end) {
        uint64_t word;
        if (end - from >= 8) {
            memcpy(&word, from, 8), memcpy(to, &word, 8);
            if (!(word & ~(word + UINT64_C(0x0101010101010101)) & UINT64_C(0x8080808080808080))) { /* none of 255 */
                from += 8, to += 8;
                continue;
            }
            for (; *from != 255; from++) to++;
        }
        *to++ = *from;
        if (*from++ == 255) *to++ = 0;
    }
    return to;
}

struct picture { size_t across, down, colours, blocks_across, blocks_down; };

/* The MCUs of one strip, whose first block is at (column, row) in blocks. */
static LK_APART void put_strip(struct writer *writer, const struct picture *p, const struct coefficients *luma,
                               const struct coefficients *chroma, const uint32_t *codes, const struct entries *entries,
                               size_t column, size_t row, int32_t *last) {
    struct writer w = *writer;
    size_t count = least(LANES, p->blocks_across - column), mcus = (count + p->across - 1) / p->across;
    for (size_t m = 0; m < mcus; m++) {
        for (size_t v = 0; v < p->down; v++)
            for (size_t h = 0; h < p->across; h++) {
                size_t block = m * p->across + h;
                if (block < count && row + v < p->blocks_down)
                    put_block(&w, luma + v, lane_of(block), codes, entries, last);
                else
                    put_filler(&w, codes);
            }
        for (size_t k = 0; k < p->colours; k++) /* subsampled, Cr stands in the right half of Cb's lanes */
            put_block(&w, chroma + (p->across == 1 ? k : 0), lane_of(p->across == 1 ? m : m + k * LANES / 2),
                      codes + CODES, entries + 1, last + 1 + k);
    }
    *writer = w;
}

/* The divisors, and the entries of luma and, where there are two components, of chroma */
static int prepare(const uint16_t *quantisers, const uint32_t *codes, size_t components, struct divisors *by,
                   struct entries *entries) {
    for (size_t i = 0; i < 2 * CODES; i++)
        if ((codes[i] & 255) > 16 || codes[i] >> 8 >> (codes[i] & 255)) return 0;
    for (size_t i = 0; i < 2 * BLOCK; i++) {
        if (!quantisers[i] || quantisers[i] > 255) return 0;
        size_t at = i % 8 * 8 + i / 8 % 8;
        uint32_t divisor = 8u * quantisers[i], shift = bits_of(divisor - 1) - 1;
        by[i / BLOCK].half[at] = (uint16_t)(divisor / 2);
        by[i / BLOCK].factor[at] = (uint16_t)(((65536u << shift) + divisor - 1) / divisor);
        by[i / BLOCK].shift[at] = (uint16_t)shift;
    }
    for (size_t i = 0; i < components; i++) fill(codes + i * CODES, entries + i);
    return 1;
}

int LK(lk_jpeg_scan)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels, size_t across,
                     size_t down, const uint16_t *quantisers, const uint32_t *codes, uint8_t *out, size_t room,
                     int64_t *size) {
    struct divisors by[2];
    struct entries entries[2];
    if (!height || !width || (channels != 1 && channels != 3)) return LK_BAD_ARGUMENT;
    if (across < 1 || across > 2 || down < 1 || down > across || (channels == 1 && across > 1)) return LK_BAD_ARGUMENT;
    if (!prepare(quantisers, codes, channels == 3 ? 2 : 1, by, entries)) return LK_BAD_ARGUMENT;
    struct picture p = {across, down, channels - 1, (width + 7) / 8, (height + 7) / 8};
    uint8_t strip[3 * LANES * LK_JPEG_BLOCK / 2 + 16], *at = out; /* without the zeros after 255 */
    struct writer w = {0, 0, strip, 0};
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
            put_strip(&w, &p, luma, chroma, codes, entries, x / 8, y / 8, last);
            if ((size_t)(out + room - at) < 2 * (size_t)(w.at - strip) + 32) return LK_OK;
            at = stuffed(strip, w.at, at), w.at = strip;
        }
    put(&w, 0, w.end);
    at = stuffed(strip, w.at, at);
    if (w.count) { /* ones up to a whole byte */
        uint8_t byte = (uint8_t)(w.held << (8 - w.count) | 255u >> w.count);
        at = stuffed(&byte, &byte + 1, at);
    }
    *size = (int64_t)(at - out);
    return LK_OK;
}
