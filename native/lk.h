/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole C API of labelkit's kernels: the contract of each stands at its type, that of sound in lk_audio.h.
 *
 * Rules. Sizes are size_t and count elements unless the name ends in _bytes. Strides are in elements.
 * Kernels never allocate (scratch comes from the caller), never log, never touch Python, and return
 * LK_OK or LK_BAD_ARGUMENT. All instruction-set variants give the same bits, and so does the NumPy
 * twin in labelkit/kernels/; where floating point forbids that, the contract says so.
 */
#ifndef LK_H
#define LK_H

#include <stddef.h>
#include <stdint.h>

#define LK_OK 0
#define LK_BAD_ARGUMENT 1

/* Error correction: successive-cancellation list decoding of a polar code (Tal and Vardy, 2015).
 *
 * soft     int32 [n], n a power of two from 32 to 4096; > 0 leans to bit 0; beyond +-LK_POLAR_LIMIT it counts as that
 * frozen   uint8 [n], 1 where the input bit is known to be 0, 0 where it carries information
 * list     how many paths are kept, 1 to 256
 * scratch  lk_polar_scratch(n, list) bytes
 * bits     uint8 [list][k]: the information bits of each path, best path first; k = zeros in frozen
 * metric   int64 [list]: the sum of |soft| that each path contradicts, ascending; equal ones in
 *          the order of the bits. Paths that were never opened have metric -1.
 */
#define LK_POLAR_LIMIT (1 << 16)
typedef int lk_polar_decode_fn(const int32_t *soft, const uint8_t *frozen, size_t n, size_t list,
                               uint8_t *scratch, uint8_t *bits, int64_t *metric);
size_t lk_polar_scratch(size_t n, size_t list);

/* How far the code words of known words lie from observed bits.
 *
 * words     int64 [count], 64 bits each
 * table     int64 [8][256][blocks]: a code word, 64 code bits to a block, is the exclusive or of eight rows, one for each
 *           byte of the word, the most significant first; blocks up to LK_CODE_BLOCKS
 * hard      int64 [observations][blocks]: the bits observed; mask of the same shape: 1 where they count
 * distance  uint16 [observations][count]: how many of the bits that count differ
 */
#define LK_CODE_BLOCKS 64
typedef int lk_code_distance_fn(const int64_t *words, size_t count, const int64_t *table, size_t blocks,
                                const int64_t *hard, const int64_t *mask, size_t observations, uint16_t *distance);

/* Local gain of a picture on a grid of LK_CELL x LK_CELL pixels (cells at the right and lower edge may be smaller).
 *
 * A cell's activity is the sum of |difference| to the right-hand and to the lower neighbour over its colour samples.
 * pixels   uint8 [height][row_bytes], channels interleaved: 1, 2 (grey, alpha), 3 or 4 (alpha last, not looked at)
 * gain     uint8 [ceil(height / 8)][ceil(width / 8)] = min(top, base + (activity * slope / (2 * samples) >> 4));
 *          base and top up to 255, slope up to 4096
 */
#define LK_CELL 8
typedef int lk_image_gain_fn(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels,
                             uint8_t *gain, uint32_t base, uint32_t slope, uint32_t top);

/* Local gain of a film's frame on the same grid: as above, over the even rows only, and lowered where the cell's
 * brightness has changed since the frame before.
 *
 * luma     uint8 [height][row_bytes]
 * level    uint16 [ceil(height / 8)][ceil(width / 8)]: the sums of the even rows of each cell in the frame before; on
 *          return those of this frame
 * ease     uint8 [LK_EASE], at most 128: what a cell keeps, in 128ths, by min(|change of its sum| / 4, LK_EASE - 1)
 * gain     uint8 of the same shape
 */
#define LK_EASE 64
typedef int lk_film_gain_fn(const uint8_t *luma, size_t row_bytes, size_t height, size_t width, uint16_t *level,
                            const uint8_t *ease, uint8_t *gain, uint32_t base, uint32_t slope, uint32_t top);

#define LK_FADE 16
/* Add a tile of period p to a picture: min(x, 254) + ((flat + (gain * textured >> 5) + 16) >> 5), saturated; samples that
 * are 0 stay 0. White gets headroom, so that half the mark is not clipped away; on black one level more could be seen.
 *
 * pixels   uint8 as above; out may be the same memory, alpha is copied
 * gain     the grid of lk_image_gain, interpolated between the centres of the cells, for two rows at a time
 * flat     int16 [p][p * channels], textured int8 [p][p * channels]: the tile, repeated for each channel; the alpha
 *          entries are not looked at. Both rows must be readable to p * channels only.
 * fades    0, or where the gain is below LK_FADE flat fades with it: flat, within +-2047, times gain / LK_FADE; where
 *          the gain is 0 the picture stays as it is, white too
 * scratch  int16 [3 * (8 * channels * ceil(width / 8) + 64)]
 */
typedef int lk_image_embed_fn(const uint8_t *pixels, size_t row_bytes, uint8_t *out, size_t out_row_bytes,
                              size_t height, size_t width, size_t channels, const uint8_t *gain, const int16_t *flat,
                              const int8_t *textured, size_t p, int fades, int16_t *scratch);

/* The tile that lk_image_embed adds, from the columns of its half spectrum: rows of p samples, each the sum over k of
 * re[k] * cosine[k][x] - im[k] * sine[k][x], rounded, halves to even, within +-8191 (flat) and +-127 (textured), and
 * repeated for each channel. Terms are added in the order of k, those of even and of odd k and of cosines and of sines
 * apart; kernels/reference.py says how the four sums are put together.
 * columns   float [2][p][count][2]: of the flat plane, of which the first `low` alone are looked at, then of the textured
 * waves     float [2][count][stride]: cosines, sines at x = 0 .. p / 4 of an even p, .. p / 2 of an odd; stride is a multiple
 *           of LK_TILE_BLOCK above that
 * p         2 to LK_TILE_LIMIT
 * flat      int16 [p][p * channels], textured int8 the same */
#define LK_TILE_BLOCK 32
#define LK_TILE_LIMIT 1024
typedef int lk_tile_make_fn(const float *columns, size_t count, size_t low, const float *waves, size_t stride,
                            size_t p, size_t channels, int16_t *flat, int8_t *textured);

/* A tile as it lies on a frame that has moved: sample (rows[y], columns[x]) at pixel (x, y), repeated for each channel.
 * both      int32 [side][side]: flat * 256 + textured modulo 256
 * rows, columns   uint32 [height], [width], below side
 * flat, textured  int16, int8 [height][stride], of which width * channels, up to stride, are written */
typedef int lk_tile_place_fn(const int32_t *both, size_t side, const uint32_t *rows, size_t height,
                             const uint32_t *columns, size_t width, size_t channels, int16_t *flat, int8_t *textured,
                             size_t stride);

/* The cells of a film's frame as a camera is followed by them: `times` x `times` joined, those left over at the right and
 * lower edge dropped, then smoothed by 1 2 1 both ways.
 *
 * brightness  uint16 [rows][columns]: sums of cells
 * times     1 to LK_CAMERA_JOINED; at least 4 x 4 joined cells are left
 * scale     of a joined cell
 * plain     below it a cell is plain: |difference to the one above| + |difference to the left one|
 * scratch   float [4 * (columns / times)]
 * grid      float [rows / times - 2][columns / times - 2]
 * facts     double [2]: the mean of |value - mean|; the share of plain cells, but for those of the first row and column.
 *           Sums are of LK_CAMERA_LANES floats: each of every LANESth column of all rows, which are then added */
#define LK_CAMERA_LANES 16
#define LK_CAMERA_JOINED 64
typedef int lk_camera_grid_fn(const uint16_t *brightness, size_t rows, size_t columns, size_t times, double scale,
                              double plain, float *scratch, float *grid, double *facts);

/* The zoom and the shift that take a frame to an earlier one: cell (x, y) of `now` lies at (zoom * x + left, zoom * y + top)
 * of `first`, which is read bilinearly. Least squares (Lucas and Kanade, 1981), each step with weights of Huber from 1.5
 * times the mean of |what is left|; a millionth of each diagonal is added to it, and 1e-9.
 *
 * now, first   float [rows][columns], finite; LK_CAMERA_LEAST to LK_CAMERA_LIMIT each
 * start     double [3]: zoom, left, top
 * steps     how many at most, up to LK_CAMERA_STEPS; a step that moves less than `settled` cells, the zoom at the right
 *           edge, is the last
 * zooms     0 keeps the zoom as it is
 * scratch   float [(2 * rows + 5) * stride], stride = columns rounded up to LK_CAMERA_LANES
 * found     double [4]: zoom, left, top, and the mean of |what is left|; -1, behind `start`, where a zoom is not between 0.5
 *           and 2, a shift beyond LK_CAMERA_LIMIT, where fewer than LK_CAMERA_LEAST rows or columns lie in `first`, or
 *           where nothing tells. Sums as above */
#define LK_CAMERA_LEAST 8
#define LK_CAMERA_LIMIT (1 << 16)
#define LK_CAMERA_STEPS 64
typedef int lk_camera_fit_fn(const float *now, const float *first, size_t rows, size_t columns, const double *start,
                             size_t steps, int zooms, double settled, float *scratch, double *found);

/* Cells of a picture, as lk_margin_score takes them: LK_CELL x LK_CELL pixels each, those in `rows` rows and `columns`
 * columns of cells, row by row.
 *
 * pixels    uint8 as above
 * y, x      uint32 [rows], [columns]: the rows and columns, of whole cells only
 * activity, gain   uint8 [ceil(height / 8)][ceil(width / 8)]: by lk_image_gain, where `base` is that of flat cells, and
 *           the one that is marked with
 * bright    samples of green below it count as unclipped
 * waves     int32 [64][16]: coefficient k is the sum of luma, 77 r + 150 g + 29 b or 256 times grey, times the column k,
 *           over 2^20; sums are below 2^31. Of 0 to 14, frequency (i, j) for i, j >= 0 and i + j <= 4 in ascending order;
 *           15 is not looked at
 * patterns  float [2][LK_MARGIN_BINS][count]: the coefficients of the flat and of the textured pattern in so many cells,
 *           in the order of the cells, for an amplitude and a gain of 1
 * cells     float [LK_MARGIN_ROWS][stride]: a column for each cell, 0 behind them. Rows: the coefficients of the host, the
 *           first replaced by LK_MARGIN_RAMP times the sum of the first of each axis; those of the mark, of black samples
 *           and part of white ones not counted; the energy of green outside of the host's; the share of its unclipped
 *           samples; 1 where the cell is flat */
#define LK_MARGIN_BINS 15
#define LK_MARGIN_ROWS 33
#define LK_MARGIN_RAMP 3.5f
typedef int lk_margin_sample_fn(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels,
                                const uint32_t *y, size_t rows, const uint32_t *x, size_t columns,
                                const uint8_t *activity, const uint8_t *gain, uint32_t base, uint32_t bright,
                                const int32_t *waves, const float *patterns, size_t count, float *cells, size_t stride);

/* The detector's scores for a picture, estimated on cells of it; labelkit/watermark/image/margin.py says why so.
 *
 * cells     as above; stride a multiple of LK_MARGIN_BLOCK
 * crops     uint8 [stride]: bit b is set where a cell lies in crop b, of five
 * levels    double [count], amplitudes; at most LK_MARGIN_LEVELS
 * steps     float [LK_MARGIN_BINS]: of the codec's quantiser
 * kept      double [2][LK_MARGIN_POINTS]: the share of a mark that rounding to grey levels leaves, by its rms: ascending
 *           rms, share
 * passed    double [LK_MARGIN_BINS]: what a scaled picture keeps of the sums
 * scale     cells of the picture for each of the sample
 * scores    double [2][LK_MARGIN_WINDOWS][count]: with all cells marked, and with flat ones left alone; after a codec,
 *           brightened, of the five crops, scaled */
#define LK_MARGIN_BLOCK 64
#define LK_MARGIN_LEVELS 8
#define LK_MARGIN_POINTS 9
#define LK_MARGIN_WINDOWS 8
#define LK_MARGIN_LOST 3136.0f
#define LK_MARGIN_TILE_BINS 2048.0
typedef int lk_margin_score_fn(const float *cells, size_t stride, const uint8_t *crops, const double *levels,
                               size_t count, const float *steps, const double *kept, const double *passed, double scale,
                               double *scores);

/* Pictures of floats from 0 to 1 as 8 bits, rounded, halves to even, and back as quotients by 255.
 * pixels    float [height][width][channels], up to four channels, strides[3] elements apart along each axis, which do not
 *           overlap; or uint8 [height][row_bytes], channels interleaved
 * out       uint8 [height][width][channels]; or float, apart as above
 * outside   int64 [1]: how many are not from 0 to 1, and so stand for the nearest; what is no number counts as 0 */
typedef int lk_floats_quantise_fn(const float *pixels, size_t height, size_t width, size_t channels,
                                  const size_t *strides, uint8_t *out, int64_t *outside);
typedef int lk_floats_expand_fn(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels,
                                float *out, const size_t *strides);

/* The colours of pixels of four bytes, as Pillow keeps RGB: pixels uint8 [height][row_bytes], out uint8 [height][width][3];
 * and such pixels of colours, the fourth byte 255: out uint8 [height][width][4] */
typedef int lk_image_colours_fn(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, uint8_t *out);
typedef int lk_image_spread_fn(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, uint8_t *out);

/* Luma of ITU-R BT.601, rounded to 8 bits: (77 r + 150 g + 29 b + 128) >> 8; one or two channels: the first is copied.
 * luma     uint8 [height][width] */
typedef int lk_image_luma_fn(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels,
                             uint8_t *luma);

/* High-pass by a 9 x 9 mean, clipped at twice the local mean magnitude m plus 1, weighted by 24 n / (m * m + n).
 * luma     uint8 [height][width]; borders are repeated outwards
 * out      int8 [height][width]
 * scratch  int32 [24 * (width + 16)]
 * noise    n, grey levels squared, 1 to 255: ground whose m * m is far below it weighs alike */
typedef int lk_plane_whiten_fn(const uint8_t *luma, size_t height, size_t width, int8_t *out, int32_t *scratch,
                               uint32_t noise);

/* Sum of an int8 plane over period p, both ways, modulo 2^32: out int32 [p][p]. */
typedef int lk_plane_fold_fn(const int8_t *plane, size_t height, size_t width, int32_t *out, size_t p);

/* Sum of an int8 plane over the cells of any lattice: pixel (x, y) goes to cell (u >> 24, v >> 24) of out [256][256],
 * u = origin[0] + x * step[0] + y * step[1], v = origin[1] + x * step[2] + y * step[3]; u, v and out modulo 2^32. */
typedef int lk_plane_fold_lattice_fn(const int8_t *plane, size_t height, size_t width, const uint32_t *origin,
                                     const uint32_t *step, int32_t *out);

/* How much of an autocorrelation lies on a lattice: sum over a fixed list of lags i * v1 + j * v2 of
 * w * r(lag), over the root of the sum of w * w, w being the overlap of a height x width picture at that lag; both
 * extents are 1 to LK_LATTICE_LIMIT.
 * r        float32 [n][n], n a power of two, periodic; read bilinearly
 * vectors  float32 [count][4]: v1x, v1y, v2x, v2y in pixels
 * score    float32 [count] */
#define LK_LATTICE_LIMIT (1 << 30)
typedef int lk_lattice_score_fn(const float *r, size_t n, size_t height, size_t width, const float *vectors,
                                size_t count, float *score);

/* How well a pattern fits the spectrum of a plane on each of several lattices: the highest projection on it at any of 128 x
 * 128 shifts, of either sign, over its deviation where all phases are random. Its bins are read bilinearly at (kx * s[2] +
 * ky * s[3], kx * s[0] + ky * s[1]), which are a column and a row; beyond the spectrum they count as 0.
 * spectrum  float32 [n][n / 2][2], half of a spectrum without its last column; n is a power of two, 4 to LK_PATTERN_SIDE
 * waves     int32 [bins][2], at most LK_PATTERN_BINS: kx, 0 to LK_PATTERN_REACH, and ky, +-LK_PATTERN_REACH
 * pattern   float32 [bins][2]: what the bins are multiplied by, of unit magnitude
 * roots     float32 [1024][2]: cosine and sine of -2 pi k / 1024
 * steps     float32 [count][4]: s of each lattice
 * scratch   float32 [LK_PATTERN_SCRATCH]
 * score     float32 [count]; the twin agrees within 1e-4 of the largest, as its transforms add in another order */
#define LK_PATTERN_REACH 39
#define LK_PATTERN_SIDE 4096
#define LK_PATTERN_BINS 2048
#define LK_PATTERN_SCRATCH (7 * 2 * 16 * 128 + 2 * LK_PATTERN_BINS)
typedef int lk_pattern_score_fn(const float *spectrum, size_t n, const int32_t *waves, const float *pattern, size_t bins,
                                const float *roots, const float *steps, size_t count, float *scratch, float *score);

/* A box of a plane at another scale. Where the columns grow fewer, a sample is the mean of those whose centres lie in its
 * part of the box, and of one at least; else it is bilinear, with weights in 256ths. The border is repeated outwards.
 * plane    uint8 [height][width]
 * left ... bottom   of the box, in fractional samples, -LK_RESAMPLE_LIMIT to 2 * LK_RESAMPLE_LIMIT; all extents are at most
 *          that limit, and the box is at most LK_RESAMPLE_SCALE samples wide and high for each of out
 * out      uint8 [out_height][out_width]
 * scratch  uint32 [3 * out_width + 2 * width + 1] */
#define LK_RESAMPLE_LIMIT (1 << 24)
#define LK_RESAMPLE_SCALE 4096
typedef int lk_plane_resample_fn(const uint8_t *plane, size_t height, size_t width, double left, double top, double right,
                                 double bottom, uint8_t *out, size_t out_height, size_t out_width, uint32_t *scratch);

/* Where a pattern correlates most and least with a plane, of all places at which it lies inside.
 * The coefficient at a place is -1 to 1; it is 0 where the variance of the plane under the pattern is below `least`, grey
 * levels squared, up to 65025, and everywhere for a flat pattern.
 * plane    uint8 [height][width], width at most LK_RESAMPLE_LIMIT
 * pattern  uint8 [rows][columns], at most LK_MATCH_LIMIT samples and no larger than the plane
 * scratch  int64 [3 * width + rows * (width + LK_MATCH_BLOCK)]
 * place    int64 [2]: y * (width - columns + 1) + x of the highest and of the lowest coefficient, the first of equal ones
 * score    float [2]: these coefficients */
#define LK_MATCH_BLOCK 64
#define LK_MATCH_LIMIT (1 << 16)
typedef int lk_plane_match_fn(const uint8_t *plane, size_t height, size_t width, const uint8_t *pattern, size_t rows,
                              size_t columns, uint32_t least, int64_t *scratch, int64_t *place, float *score);

/* The entropy-coded segment of a baseline JPEG (ITU-T T.81) of one interleaved scan, without header and end marker.
 * pixels      uint8 as above, of 1 channel or of 3, which become Y Cb Cr of JFIF: colours in units of 2^-16, means of two
 *             or four with their halves down and up in turn, transforms with 13 bits of fraction, quotients rounded
 *             with halves away from 0
 * across, down   luma samples for each sample of the others: 1 1, 2 1 or 2 2; 1 1 for one channel
 * quantisers  uint16 [2][64] in the order of rows, 1 to 255: for Y, for Cb and Cr
 * codes       uint32 [2][LK_JPEG_CODES]: the Huffman codes of the 16 sizes of DC, then of the 256 symbols of AC; the
 *             length, up to 16, in the low byte, the code above it
 * out         uint8 [room]
 * size        int64 [1]: the bytes written; 0 where `room` may be too little: LK_JPEG_BLOCK bytes for each block of 8 x 8
 *             samples and for six more are enough. What lies behind is left undefined
 */
#define LK_JPEG_CODES 272
#define LK_JPEG_BLOCK 512
typedef int lk_jpeg_scan_fn(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels,
                            size_t across, size_t down, const uint16_t *quantisers, const uint32_t *codes, uint8_t *out,
                            size_t room, int64_t *size);

/* The next marker in the coded data of a JPEG, in which FF is else followed by 00, D0 to D7 or FF (ITU-T T.81, B.1.1).
 * data     uint8 [size]
 * wanted   uint8 [256], not 0 for the markers that are looked for, by their second byte
 * start    up to size
 * place    int64 [1]: the first of start .. size - 2 at which FF stands before the byte of one of them; size where there
 *          is none
 */
typedef int lk_jpeg_marker_fn(const uint8_t *data, size_t size, const uint8_t *wanted, size_t start, int64_t *place);

/* The kernels of sound. */
#include "lk_audio.h"

/* One table for each instruction set; kernels/table.c fills it. */
struct lk_kernels {
    lk_polar_decode_fn *polar_decode;
    lk_code_distance_fn *code_distance;
    lk_image_gain_fn *image_gain;
    lk_film_gain_fn *film_gain;
    lk_image_embed_fn *image_embed;
    lk_tile_make_fn *tile_make;
    lk_tile_place_fn *tile_place;
    lk_camera_grid_fn *camera_grid;
    lk_camera_fit_fn *camera_fit;
    lk_margin_sample_fn *margin_sample;
    lk_margin_score_fn *margin_score;
    lk_floats_quantise_fn *floats_quantise;
    lk_floats_expand_fn *floats_expand;
    lk_image_colours_fn *image_colours;
    lk_image_spread_fn *image_spread;
    lk_image_luma_fn *image_luma;
    lk_plane_whiten_fn *plane_whiten;
    lk_plane_fold_fn *plane_fold;
    lk_plane_fold_lattice_fn *plane_fold_lattice;
    lk_lattice_score_fn *lattice_score;
    lk_pattern_score_fn *pattern_score;
    lk_plane_resample_fn *plane_resample;
    lk_plane_match_fn *plane_match;
    lk_jpeg_scan_fn *jpeg_scan;
    lk_jpeg_marker_fn *jpeg_marker;

    lk_audio_mark_fn *audio_mark;
    lk_audio_shield_fn *audio_shield;
    lk_audio_limit_fn *audio_limit;
    lk_audio_resample_fn *audio_resample;
    lk_audio_stream_fn *audio_stream;
    lk_audio_loudness_fn *audio_loudness;
    lk_audio_spectrum_fn *audio_spectrum;
    lk_audio_chips_fn *audio_chips;
    lk_audio_rows_fn *audio_rows;
};

#endif
