/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

extern const struct lk_kernels LK(lk_kernels);
const struct lk_kernels LK(lk_kernels) = {
    .polar_decode = LK(lk_polar_decode),
    .audio_mark = LK(lk_audio_mark),
    .audio_limit = LK(lk_audio_limit),
    .audio_resample = LK(lk_audio_resample),
    .audio_spectrum = LK(lk_audio_spectrum),
    .audio_chips = LK(lk_audio_chips),
};
