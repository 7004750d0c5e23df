/* SPDX-License-Identifier: Apache-2.0
 * LK(name) is name_scalar, name_avx2 ...: each kernel file is compiled once for each instruction set. */
#ifndef LK_KERNEL_ISA_H
#define LK_KERNEL_ISA_H

#include "lk.h"

#define LK_JOIN2(name, isa) name##_##isa
#define LK_JOIN(name, isa) LK_JOIN2(name, isa)
#define LK(name) LK_JOIN(name, LK_ISA)

/* For functions whose loops are fast only where the caller's constants are known in them. */
#ifdef _MSC_VER
#define LK_INLINE __forceinline
#else
#define LK_INLINE inline __attribute__((always_inline))
#endif

lk_polar_decode_fn LK(lk_polar_decode);
lk_code_distance_fn LK(lk_code_distance);
lk_image_gain_fn LK(lk_image_gain);
lk_film_gain_fn LK(lk_film_gain);
lk_image_embed_fn LK(lk_image_embed);
lk_tile_make_fn LK(lk_tile_make);
lk_tile_place_fn LK(lk_tile_place);
lk_camera_grid_fn LK(lk_camera_grid);
lk_camera_fit_fn LK(lk_camera_fit);
lk_margin_sample_fn LK(lk_margin_sample);
lk_margin_score_fn LK(lk_margin_score);
lk_floats_quantise_fn LK(lk_floats_quantise);
lk_floats_expand_fn LK(lk_floats_expand);
lk_image_colours_fn LK(lk_image_colours);
lk_image_spread_fn LK(lk_image_spread);
lk_image_luma_fn LK(lk_image_luma);
lk_plane_whiten_fn LK(lk_plane_whiten);
lk_plane_fold_fn LK(lk_plane_fold);
lk_plane_fold_lattice_fn LK(lk_plane_fold_lattice);
lk_lattice_score_fn LK(lk_lattice_score);
lk_pattern_score_fn LK(lk_pattern_score);
lk_plane_resample_fn LK(lk_plane_resample);
lk_plane_match_fn LK(lk_plane_match);
lk_jpeg_scan_fn LK(lk_jpeg_scan);
lk_jpeg_marker_fn LK(lk_jpeg_marker);
lk_audio_mark_fn LK(lk_audio_mark);
lk_audio_shield_fn LK(lk_audio_shield);
lk_audio_limit_fn LK(lk_audio_limit);
lk_audio_resample_fn LK(lk_audio_resample);
lk_audio_stream_fn LK(lk_audio_stream);
lk_audio_loudness_fn LK(lk_audio_loudness);
lk_audio_spectrum_fn LK(lk_audio_spectrum);
lk_audio_chips_fn LK(lk_audio_chips);
lk_audio_rows_fn LK(lk_audio_rows);

#endif
