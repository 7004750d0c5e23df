/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

extern const struct lk_kernels LK(lk_kernels);
const struct lk_kernels LK(lk_kernels) = {
    .polar_decode = LK(lk_polar_decode),
    .code_distance = LK(lk_code_distance),
    .image_gain = LK(lk_image_gain),
    .film_gain = LK(lk_film_gain),
    .image_embed = LK(lk_image_embed),
    .tile_make = LK(lk_tile_make),
    .tile_place = LK(lk_tile_place),
    .margin_sample = LK(lk_margin_sample),
    .margin_score = LK(lk_margin_score),
    .floats_quantise = LK(lk_floats_quantise),
    .floats_expand = LK(lk_floats_expand),
    .image_colours = LK(lk_image_colours),
    .image_luma = LK(lk_image_luma),
    .plane_whiten = LK(lk_plane_whiten),
    .plane_fold = LK(lk_plane_fold),
    .plane_fold_lattice = LK(lk_plane_fold_lattice),
    .lattice_score = LK(lk_lattice_score),
    .plane_resample = LK(lk_plane_resample),
    .plane_match = LK(lk_plane_match),
    .jpeg_scan = LK(lk_jpeg_scan),
    .jpeg_marker = LK(lk_jpeg_marker),
    .audio_mark = LK(lk_audio_mark),
    .audio_shield = LK(lk_audio_shield),
    .audio_limit = LK(lk_audio_limit),
    .audio_resample = LK(lk_audio_resample),
    .audio_spectrum = LK(lk_audio_spectrum),
    .audio_chips = LK(lk_audio_chips),
    .audio_rows = LK(lk_audio_rows),
};
