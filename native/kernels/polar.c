/* SPDX-License-Identifier: Apache-2.0
 *
 * Successive-cancellation list decoding (Tal and Vardy, IEEE Trans. IT 61, 2015) in its min-sum form
 * with hardware-friendly path metrics (Balatsoukas-Stimming and others, 2015). Integers throughout.
 *
 * A path holds, for each level s of the butterfly, the soft values of the node being decoded
 * (2^s int32 at offset 2^s) and the decided bits of the left half of its parent (2^s bytes at offset 2^s).
 */
#include <string.h>

#include "isa.h"

enum { MAX_LIST = 256 };

struct path {
    int32_t *alpha; /* n values: levels 0 .. log2(n) - 1; the top level is the input, shared */
    uint8_t *left;  /* n bytes, likewise */
    uint8_t *bits;  /* information bits decided so far */
    int64_t metric;
};

#ifdef LK_ISA_scalar
static size_t round8(size_t size) { return (size + 7) & ~(size_t)7; }
size_t lk_polar_scratch(size_t n, size_t list) {
    return 2 * (list * (5 * n + round8(n) + sizeof(struct path))) + 4 * n + round8(n) + 64;
}
#endif

static int32_t clip(int32_t x) {
    return x > LK_POLAR_LIMIT ? LK_POLAR_LIMIT : x < -LK_POLAR_LIMIT ? -LK_POLAR_LIMIT : x;
}

static int32_t min_sum(int32_t a, int32_t b) {
    int32_t x = a < 0 ? -a : a, y = b < 0 ? -b : b;
    int32_t low = x < y ? x : y;
    return (a ^ b) < 0 ? -low : low;
}

/* Soft values of leaf `leaf`: one step right at the level where the leaf's path turns, then left all the way. */
static void descend(struct path *p, const int32_t *soft, size_t n, size_t leaf) {
    size_t size = leaf ? leaf & (~leaf + 1) : n; /* size of the node whose soft values are known below */
    if (leaf) {
        const int32_t *up = 2 * size == n ? soft : p->alpha + 2 * size;
        const uint8_t *left = p->left + size;
        int32_t *out = p->alpha + size;
        for (size_t i = 0; i < size; i++) out[i] = up[i + size] + (left[i] ? -up[i] : up[i]);
    }
    for (size /= 2; size >= 1; size /= 2) {
        const int32_t *up = 2 * size == n ? soft : p->alpha + 2 * size;
        int32_t *out = p->alpha + size;
        for (size_t i = 0; i < size; i++) out[i] = min_sum(up[i], up[i + size]);
    }
}

/* Store a decided bit and fold finished halves upwards. */
static void ascend(struct path *p, size_t leaf, uint8_t bit, uint8_t *carry) {
    size_t size = 1;
    carry[0] = bit;
    for (; leaf & size; size *= 2) {
        const uint8_t *left = p->left + size;
        for (size_t i = 0; i < size; i++) {
            uint8_t right = carry[i];
            carry[i] = left[i] ^ right;
            carry[i + size] = right;
        }
    }
    memcpy(p->left + size, carry, size);
}

static void copy_path(struct path *to, const struct path *from, size_t n, size_t decided) {
    memcpy(to->alpha, from->alpha, n * sizeof(int32_t));
    memcpy(to->left, from->left, n);
    memcpy(to->bits, from->bits, decided);
    to->metric = from->metric;
}

/* The `keep` smallest of `count` metrics, ascending, equal ones in order of index. */
static void select_best(const int64_t *metric, size_t count, size_t keep, size_t *order) {
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = filled < keep ? filled++ : keep;
        while (at > 0 && metric[i] < metric[order[at - 1]]) {
            if (at < keep) order[at] = order[at - 1];
            at--;
        }
        if (at < keep) order[at] = i;
    }
}

/* Open both values of an information bit on every path and keep the best; returns the new count. */
static size_t fork_paths(struct path *now, struct path *next, size_t count, size_t list, size_t n, size_t leaf,
                         size_t decided, uint8_t *carry) {
    int64_t metric[2 * MAX_LIST];
    size_t order[MAX_LIST];
    for (size_t i = 0; i < count; i++) {
        int64_t a = now[i].alpha[1];
        metric[2 * i] = now[i].metric + (a < 0 ? -a : 0);
        metric[2 * i + 1] = now[i].metric + (a < 0 ? 0 : a);
    }
    size_t kept = 2 * count < list ? 2 * count : list;
    select_best(metric, 2 * count, kept, order);
    for (size_t i = 0; i < kept; i++) {
        uint8_t bit = order[i] & 1;
        copy_path(&next[i], &now[order[i] / 2], n, decided);
        next[i].metric = metric[order[i]];
        next[i].bits[decided] = bit;
        ascend(&next[i], leaf, bit, carry);
    }
    return kept;
}

int LK(lk_polar_decode)(const int32_t *soft, const uint8_t *frozen, size_t n, size_t list, uint8_t *scratch,
                        uint8_t *bits, int64_t *metric) {
    if (n < 32 || n > 4096 || (n & (n - 1)) || list < 1 || list > MAX_LIST) return LK_BAD_ARGUMENT;
    struct path *paths = (struct path *)(scratch + (8 - (uintptr_t)scratch % 8) % 8); /* there is room for that */
    int32_t *clipped = (int32_t *)(paths + 2 * list), *alpha = clipped + n;
    uint8_t *left = (uint8_t *)(alpha + 2 * list * n), *decisions = left + 2 * list * n;
    uint8_t *carry = decisions + 2 * list * n;
    for (size_t i = 0; i < 2 * list; i++)
        paths[i] = (struct path){alpha + i * n, left + i * n, decisions + i * n, 0};
    for (size_t i = 0; i < n; i++) clipped[i] = clip(soft[i]); /* sums of n of them fit */
    struct path *now = paths, *next = paths + list;
    size_t count = 1, decided = 0;
    for (size_t leaf = 0; leaf < n; leaf++) {
        for (size_t i = 0; i < count; i++) descend(&now[i], clipped, n, leaf);
        if (frozen[leaf]) {
            for (size_t i = 0; i < count; i++) {
                if (now[i].alpha[1] < 0) now[i].metric -= now[i].alpha[1];
                ascend(&now[i], leaf, 0, carry);
            }
            continue;
        }
        count = fork_paths(now, next, count, list, n, leaf, decided++, carry);
        struct path *swap = now;
        now = next;
        next = swap;
    }
    size_t order[MAX_LIST];
    int64_t ends[MAX_LIST];
    for (size_t i = 0; i < count; i++) ends[i] = now[i].metric;
    select_best(ends, count, count, order);
    for (size_t i = 0; i < list; i++) {
        metric[i] = i < count ? ends[order[i]] : -1;
        if (i < count) memcpy(bits + i * decided, now[order[i]].bits, decided);
    }
    return LK_OK;
}
