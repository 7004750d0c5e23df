/* SPDX-License-Identifier: Apache-2.0
 *
 * A real Fourier transform of 1,024 samples through a complex one of 512: Stockham's self-sorting form, radix 4
 * and a last radix 2 (Van Loan, Computational Frameworks for the FFT, 1992). Split arrays, so that the
 * inner loops vectorise; the first two steps, whose inner loops would be short, run over all butterflies at once.
 * `roots` are those of lk_audio.h. */
#ifndef LK_AUDIO_FFT_H
#define LK_AUDIO_FFT_H

#include <stddef.h>
#include <string.h>

#include "radix4.h"

enum { HALF = LK_AUDIO_FRAME / 2, BUTTERFLIES = HALF / 4 };

/* The butterflies of a radix-4 step of 512 points (real parts, then imaginary ones) whose inputs stand 128 apart; w is
 * float [6][128], the factors of the step. */
static inline void flat_radix4(const float *restrict w, const float *restrict x, float part[8][BUTTERFLIES]) {
    enum { FAR = BUTTERFLIES };
    for (size_t i = 0; i < BUTTERFLIES; i++) {
        const float *ar = x + i, *ai = x + HALF + i;
        const float sum_r = ar[0] + ar[2 * FAR], sum_i = ai[0] + ai[2 * FAR];
        const float dif_r = ar[0] - ar[2 * FAR], dif_i = ai[0] - ai[2 * FAR];
        const float odd_r = ar[FAR] + ar[3 * FAR], odd_i = ai[FAR] + ai[3 * FAR];
        const float rot_r = ai[3 * FAR] - ai[FAR], rot_i = ar[FAR] - ar[3 * FAR];
        const float b1r = dif_r - rot_r, b1i = dif_i - rot_i;
        const float b2r = sum_r - odd_r, b2i = sum_i - odd_i;
        const float b3r = dif_r + rot_r, b3i = dif_i + rot_i;
        part[0][i] = sum_r + odd_r;
        part[4][i] = sum_i + odd_i;
        part[1][i] = b1r * w[i] - b1i * w[FAR + i];
        part[5][i] = b1r * w[FAR + i] + b1i * w[i];
        part[2][i] = b2r * w[2 * FAR + i] - b2i * w[3 * FAR + i];
        part[6][i] = b2r * w[3 * FAR + i] + b2i * w[2 * FAR + i];
        part[3][i] = b3r * w[4 * FAR + i] - b3i * w[5 * FAR + i];
        part[7][i] = b3r * w[5 * FAR + i] + b3i * w[4 * FAR + i];
    }
}

/* Complex transform of 512 points. `work` holds 4 * 512 floats; the input stands in its first half (real, then
 * imaginary parts), the output in its second half. */
static void complex_forward(const float *roots, float *work) {
    float *a = work, *b = work + 2 * HALF, part[8][BUTTERFLIES];
    flat_radix4(roots + 2 * LK_AUDIO_FRAME, a, part);
    for (size_t h = 0; h < 2; h++)
        for (size_t i = 0; i < BUTTERFLIES; i++)
            for (size_t j = 0; j < 4; j++) b[h * HALF + 4 * i + j] = part[4 * h + j][i];
    flat_radix4(roots + 2 * LK_AUDIO_FRAME + 6 * BUTTERFLIES, b, part);
    for (size_t h = 0; h < 2; h++)
        for (size_t j = 0; j < 4; j++)
            for (size_t i = 0; i < BUTTERFLIES; i += 4)
                memcpy(a + h * HALF + 4 * i + 4 * j, part[4 * h + j] + i, 4 * sizeof *a);
    radix4(roots, HALF / 16, 16, a, a + HALF, b, b + HALF);
    radix4(roots, HALF / 64, 64, b, b + HALF, a, a + HALF);
    for (size_t q = 0; q < 2 * HALF; q += HALF)
        for (size_t i = 0; i < HALF / 2; i++) {
            const float x = a[q + i], y = a[q + i + HALF / 2];
            b[q + i] = x + y;
            b[q + i + HALF / 2] = x - y;
        }
}

/* Bins low .. high - 1 (0 < low, high <= 512) of 1,024 real samples times `window`. */
static void real_forward(const float *roots, const float *window, const float *x, size_t low, size_t high,
                         float *work, float *re, float *im) {
    for (size_t k = 0; k < HALF; k++) {
        work[k] = x[2 * k] * window[2 * k];
        work[k + HALF] = x[2 * k + 1] * window[2 * k + 1];
    }
    complex_forward(roots, work);
    const float *zr = work + 2 * HALF, *zi = zr + HALF;
    for (size_t k = low; k < high; k++) {
        const size_t m = HALF - k;
        const float er = 0.5f * (zr[k] + zr[m]), ei = 0.5f * (zi[k] - zi[m]);
        const float or_ = 0.5f * (zi[k] + zi[m]), oi = 0.5f * (zr[m] - zr[k]);
        re[k - low] = er + or_ * roots[2 * k] - oi * roots[2 * k + 1];
        im[k - low] = ei + or_ * roots[2 * k + 1] + oi * roots[2 * k];
    }
}

/* The real samples whose spectrum is re, im on bins low .. high - 1 and zero elsewhere, times window, added to out. */
static inline void real_inverse_add(const float *roots, const float *window, const float *restrict re,
                                    const float *restrict im, size_t low, size_t high, float *restrict work,
                                    float *out) {
    float *far = work + 2 * HALF; /* the halves at 512 - k */
    for (size_t k = 0; k < 4 * HALF; k++) work[k] = 0.0f;
    for (size_t k = low; k < high; k++) { /* the conjugate of the packed spectrum, half at k and half at 512 - k */
        const float xr = 0.5f * re[k - low], xi = 0.5f * im[k - low];
        const float c = roots[2 * k], s = -roots[2 * k + 1]; /* e^(2 pi i k / 1024) */
        const float rr = -(xr * s + xi * c), ri = xr * c - xi * s; /* i e^(..) x */
        work[k] = xr + rr;
        work[k + HALF] = -(xi + ri);
        far[k] = xr - rr; /* conj(x) - conj(i e^(..) x), conjugated once more */
        far[k + HALF] = xi - ri;
    }
    for (size_t k = 1; k < HALF; k++) {
        work[k] += far[HALF - k];
        work[k + HALF] += far[2 * HALF - k];
    }
    complex_forward(roots, work);
    const float *zr = work + 2 * HALF, *zi = zr + HALF;
    for (size_t k = 0; k < HALF; k++) {
        out[2 * k] += window[2 * k] * (zr[k] * (1.0f / HALF));
        out[2 * k + 1] -= window[2 * k + 1] * (zi[k] * (1.0f / HALF));
    }
}

#endif
