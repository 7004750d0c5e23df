/* SPDX-License-Identifier: Apache-2.0
 *
 * Code words of many words, compared with what was observed. They are made on the way: those of a million words would
 * fill 128 MB. */
#include "isa.h"

static unsigned ones(uint64_t x) {
#if defined(__GNUC__)
    return (unsigned)__builtin_popcountll(x);
#else
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    return (unsigned)(((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
#endif
}

int LK(lk_code_distance)(const int64_t *words, size_t count, const int64_t *table, size_t blocks, const int64_t *hard,
                         const int64_t *mask, size_t observations, uint16_t *distance) {
    if (blocks < 1 || blocks > LK_CODE_BLOCKS) return LK_BAD_ARGUMENT;
    for (size_t i = 0; i < count; i++) {
        const uint64_t word = (uint64_t)words[i];
        uint64_t code[LK_CODE_BLOCKS] = {0};
        for (size_t byte = 0; byte < 8; byte++) {
            const int64_t *row = table + (byte * 256 + (word >> (56 - 8 * byte) & 255)) * blocks;
            for (size_t b = 0; b < blocks; b++) code[b] ^= (uint64_t)row[b];
        }
        for (size_t o = 0; o < observations; o++) {
            unsigned differing = 0;
            for (size_t b = 0; b < blocks; b++)
                differing += ones((code[b] ^ (uint64_t)hard[o * blocks + b]) & (uint64_t)mask[o * blocks + b]);
            distance[o * count + i] = (uint16_t)differing;
        }
    }
    return LK_OK;
}
