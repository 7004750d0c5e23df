/* SPDX-License-Identifier: Apache-2.0
 * Vectors of int16 for what compilers do not find by themselves: sums of two products, the upper half of a product,
 * sums of distances, packing, the exchange of neighbours. With LK_WORDS, `words` holds WORDS of them; without it there is
 * the portable loop alone. */
#ifndef LK_KERNEL_WORDS_H
#define LK_KERNEL_WORDS_H

#if defined(__GNUC__) && (LK_ISA_avx2 || LK_ISA_avx512)
#include <immintrin.h>
#include <stdint.h>

#if LK_ISA_avx512
#define LK_WORDS(name) _mm512_##name
typedef __m512i words;
static inline words words_load(const void *from) { return _mm512_loadu_si512(from); }
static inline void words_store(void *to, words x) { _mm512_storeu_si512(to, x); }
static inline words words_zero(void) { return _mm512_setzero_si512(); }
static inline words words_negate_like(words x, words sign) { /* -x where sign < 0 */
    return _mm512_mask_sub_epi16(x, _mm512_movepi16_mask(sign), words_zero(), x);
}
static inline words words_or_if(words x, words bits, words value) { /* x | bits where value is not 0 */
    return _mm512_mask_add_epi16(x, _mm512_test_epi16_mask(value, value), x, bits);
}
static inline words words_if_not(words x, words value) { /* x where value is 0, else 0 */
    return _mm512_maskz_mov_epi16(_mm512_testn_epi16_mask(value, value), x);
}
static inline words words_of_uint8(const uint8_t *x) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)x));
}
static inline words words_of_int8(const int8_t *x) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)x));
}
static inline words words_bytes(words a, words b) { /* a, then b, kept to uint8 */
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), _mm512_packus_epi16(a, b));
}
static inline words words_if_bytes(words x, words value) { /* of bytes: x where value is not 0, else 0 */
    return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(value, value), x);
}
#else
#define LK_WORDS(name) _mm256_##name
typedef __m256i words;
static inline words words_load(const void *from) { return _mm256_loadu_si256(from); }
static inline void words_store(void *to, words x) { _mm256_storeu_si256(to, x); }
static inline words words_zero(void) { return _mm256_setzero_si256(); }
static inline words words_negate_like(words x, words sign) { return _mm256_sign_epi16(x, sign); }
static inline words words_or_if(words x, words bits, words value) {
    return _mm256_or_si256(x, _mm256_andnot_si256(_mm256_cmpeq_epi16(value, words_zero()), bits));
}
static inline words words_if_not(words x, words value) {
    return _mm256_and_si256(_mm256_cmpeq_epi16(value, words_zero()), x);
}
static inline words words_of_uint8(const uint8_t *x) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)x));
}
static inline words words_of_int8(const int8_t *x) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)x));
}
static inline words words_bytes(words a, words b) {
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xD8);
}
static inline words words_if_bytes(words x, words value) {
    return _mm256_andnot_si256(_mm256_cmpeq_epi8(value, words_zero()), x);
}
#endif
enum { WORDS = sizeof(words) / 2 };

static inline words words_pair(int first, int second) {
    return LK_WORDS(set1_epi32)((int)((unsigned)first & 65535u) | (int)((unsigned)second << 16));
}

/* Two vectors that are interleaved, and sums of products of them with two factors in 32 bits: the lower and the upper
 * half of each lane of 16 bytes */
struct sums { words low, high; };
static inline struct sums words_dot(struct sums x, words factors) {
    return (struct sums){LK_WORDS(madd_epi16)(x.low, factors), LK_WORDS(madd_epi16)(x.high, factors)};
}
static inline struct sums words_interleaved(words a, words b) {
    return (struct sums){LK_WORDS(unpacklo_epi16)(a, b), LK_WORDS(unpackhi_epi16)(a, b)};
}
static inline struct sums words_plus(struct sums a, struct sums b) {
    return (struct sums){LK_WORDS(add_epi32)(a.low, b.low), LK_WORDS(add_epi32)(a.high, b.high)};
}
#endif
#endif
