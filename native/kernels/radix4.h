/* SPDX-License-Identifier: Apache-2.0
 *
 * A step of Stockham's self-sorting Fourier transform (Van Loan, Computational Frameworks for the FFT, 1992), for the
 * kernels of sound and for those of pictures. `roots` begins with [1024][2], cosine and sine of -2 pi k / 1024. */
#ifndef LK_RADIX4_H
#define LK_RADIX4_H

#include <stddef.h>

/* One radix-4 step: n points left in each of s interleaved transforms. */
static LK_INLINE void radix4(const float *roots, size_t n, size_t s, const float *restrict xr, const float *restrict xi,
                             float *restrict yr, float *restrict yi) {
    const size_t quarter = n / 4, step = LK_AUDIO_FRAME / n;
    for (size_t p = 0; p < quarter; p++) {
        const float *w = roots + 2 * step * p;
        const float w1r = w[0], w1i = w[1];
        const float w2r = roots[4 * step * p], w2i = roots[4 * step * p + 1];
        const float w3r = roots[6 * step * p], w3i = roots[6 * step * p + 1];
        const float *ar = xr + s * p, *ai = xi + s * p;
        const size_t far = s * quarter;
        float *br = yr + 4 * s * p, *bi = yi + 4 * s * p;
        for (size_t q = 0; q < s; q++) {
            const float sum_r = ar[q] + ar[q + 2 * far], sum_i = ai[q] + ai[q + 2 * far];
            const float dif_r = ar[q] - ar[q + 2 * far], dif_i = ai[q] - ai[q + 2 * far];
            const float odd_r = ar[q + far] + ar[q + 3 * far], odd_i = ai[q + far] + ai[q + 3 * far];
            const float rot_r = ai[q + 3 * far] - ai[q + far], rot_i = ar[q + far] - ar[q + 3 * far];
            const float b1r = dif_r - rot_r, b1i = dif_i - rot_i;
            const float b2r = sum_r - odd_r, b2i = sum_i - odd_i;
            const float b3r = dif_r + rot_r, b3i = dif_i + rot_i;
            br[q] = sum_r + odd_r;
            bi[q] = sum_i + odd_i;
            br[q + s] = b1r * w1r - b1i * w1i;
            bi[q + s] = b1r * w1i + b1i * w1r;
            br[q + 2 * s] = b2r * w2r - b2i * w2i;
            bi[q + 2 * s] = b2r * w2i + b2i * w2r;
            br[q + 3 * s] = b3r * w3r - b3i * w3i;
            bi[q + 3 * s] = b3r * w3i + b3i * w3r;
        }
    }
}

#endif
