/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of sound: the part of lk.h that states their contracts. Include lk.h, whose rules hold here too.
 */
#ifndef LK_AUDIO_H
#define LK_AUDIO_H

#include <stddef.h>
#include <stdint.h>

/* Audio. Frames of LK_AUDIO_FRAME samples at 16 kHz start every LK_AUDIO_HOP; windows are float [1024]; roots is float
 * [LK_AUDIO_ROOTS]: [1024][2], cosine and sine of -2 pi k / 1024; then two of [6][128], what the first two steps of a
 * transform multiply by, in the order in which they do: at [j][i] of root 2 * i * (j / 2 + 1), and
 * 8 * (i / 4) * (j / 2 + 1), the cosine where j is even, else the sine. Floating point: the instruction-set variants give
 * the same bits, the NumPy twins (labelkit/kernels/audio.py) agree within 1e-3 of the largest value, as their transforms
 * add in another order.
 * lk_audio_mark: what to add to each channel so that its bands follow the signs
 * x         float [channels][stride], stride >= (frames - 1) * 512 + 1024
 * edges     uint16 [bands + 1], ascending, 1 to 512: band b is the bins edges[b] .. edges[b + 1] - 1; bands are 1 to
 *           LK_AUDIO_BANDS
 * signs     int8 [period][bands] of -1, 0, +1; frame f follows row (phase + f) % period
 * depths    float [bands]: log2 of the amplitude gain of a band that lies 13 dB under the frame's loudest, in a frame as
 *           loud as those before it
 * heard     float [LK_AUDIO_HEARD], in and out: running mean of the frames' log2 power, -1e9 before the first frame; the sum
 *           over frames of log2 of each band's power, the mean of its bins; from LK_AUDIO_BANDS on that of its square
 * scratch   float [lk_audio_mark_scratch(channels)]
 * out       float [channels][stride]: the difference is added to it
 */
#define LK_AUDIO_FRAME 1024
#define LK_AUDIO_HOP 512
#define LK_AUDIO_ROOTS (2 * 1024 + 2 * 6 * 128)
#define LK_AUDIO_SHIELD 256
#define LK_AUDIO_LIMIT 64
#define LK_AUDIO_BANDS 128
#define LK_AUDIO_HEARD (1 + 2 * LK_AUDIO_BANDS)
typedef int lk_audio_mark_fn(const float *x, size_t channels, size_t stride, size_t frames, const float *roots,
                             const float *window, const uint16_t *edges, size_t bands, const int8_t *signs,
                             size_t period, size_t phase, const float *depths, float *heard, float *scratch,
                             float *out);
size_t lk_audio_mark_scratch(size_t channels);

/* Keeps a difference under its host, bin by bin of frames of LK_AUDIO_SHIELD samples at half overlap: a bin of it is lowered
 * to `ratio` times the host's amplitude where it has more, over the bin and its two neighbours; DC is taken out.
 * host, difference: float [frames + 1][128]; window: float [256], its square sums to 1 over the frames; scratch: float
 * [LK_AUDIO_SHIELD_SCRATCH]; out: float [frames + 1][128], which the result is added to. Frames are worked on two by
 * two: a stream that is cut gives the same bits if it is cut at even frames. */
#define LK_AUDIO_SHIELD_SCRATCH (5 * 1024 + 8 * 129)
typedef int lk_audio_shield_fn(const float *host, const float *difference, size_t frames, float ratio,
                               const float *roots, const float *window, float *scratch, float *out);

/* Keeps a difference under its host in time: out[i] is difference[i + 32], lowered where the energy of the 64 samples around
 * it is more than ratio^2 of the host's. host, difference: float [n + 64]; scratch: float [2 * (n + 64)]; out: float [n]. */
typedef int lk_audio_limit_fn(const float *host, const float *difference, size_t n, float ratio, float *scratch,
                              float *out);

/* Samples at positions (position + j * down) / up of x, j = 0 .. ny - 1, each a sum of `taps` products with the row of
 * the bank for its fraction (rounded down to one of `phases`). x: float [nx], all that is needed must be there;
 * bank: float [phases][taps], taps a multiple of 16; y: float [ny]. */
typedef int lk_audio_resample_fn(const float *x, size_t nx, const float *bank, size_t phases, size_t taps, size_t up,
                                 size_t down, size_t position, float *y, size_t ny);

/* Marks a stream, or makes the difference alone: lk_audio_resample to 16 kHz, lk_audio_mark, lk_audio_shield and
 * lk_audio_limit, lk_audio_resample back, and the sum with the host, with what lies between two calls kept in `state`.
 * The bits do not depend on how a stream is cut. Samples of the host above full scale keep their size, others stay in it.
 * form      what a stream is, the same for all its calls but for depths and limits; see the struct
 * chunk     `frames` frames of the host
 * most      frames of the mark that may be made, for one whose depths change behind them
 * counts    int64 [10], in and out. Before the first call 0, lead, 0, 704, 0, 672, lead back, 0, where lead is half of the
 *           taps to 16 kHz less 1, lead back that of those back, both 0 without filters: where the host's samples begin
 *           in a row of the state; how many they are; where the next sample at 16 kHz begins among them, in 1 / up; samples
 *           at 16 kHz; frames made; samples before time 0 to come; samples of the difference; where the next sample at the
 *           host's rate begins among them, in 1 / down. Then how many frames of the chunk were taken in, and of `out` given;
 *           -1 and 0 where a sample is no number or more than LK_AUDIO_LOUDEST, and then nothing else has changed
 * state     float [lk_audio_stream_state(channels, room, far_room)]: 0 before the first call, but -1e9 where its last
 *           LK_AUDIO_HEARD begin, which are those of lk_audio_mark and may be set back to 0 between two calls
 * scratch   float [lk_audio_stream_scratch(channels)]
 * out       as the chunk, or float where `adds` is 0, of `room` frames: all that is ready, as far as there is room
 */
#define LK_AUDIO_STREAM_FRAMES 4   /* of the mark, that are made at once */
#define LK_AUDIO_STREAM_GIVEN 6144 /* frames of the host's rate that are */
#define LK_AUDIO_STREAM_ROOM (1 << 24)
#define LK_AUDIO_STREAM_STEP (1 << 18)
#define LK_AUDIO_STREAM_COUNTS 10
#define LK_AUDIO_LOUDEST 1e4f
struct lk_audio_stream {
    size_t channels, room, far_room; /* room: for the host's samples of a channel; far_room: for those of the difference */
    size_t up, down;                 /* 16 kHz is the host's rate times up / down; both 1 where they are the same */
    const float *down_bank, *up_bank; /* filters to 16 kHz and back, as for lk_audio_resample; 0 taps where rates are the same */
    size_t down_phases, down_taps, up_phases, up_taps;
    const float *roots, *window, *brief; /* the windows of lk_audio_mark and of lk_audio_shield */
    const uint16_t *edges;
    size_t bands;
    const int8_t *signs;
    size_t period;
    const float *depths;
    float spectral_limit, energy_limit;
    int whole, adds; /* whether the samples are int16, not float; whether `out` is the host with the difference added */
};
typedef int lk_audio_stream_fn(const struct lk_audio_stream *form, const void *chunk, size_t frames, size_t most,
                               int64_t *counts, float *state, float *scratch, void *out, size_t room);
size_t lk_audio_stream_state(size_t channels, size_t room, size_t far_room);
size_t lk_audio_stream_scratch(size_t channels);

/* Running sums over the bins low .. high - 1 of log2 of a bin's power and a twentieth of each neighbour's, one row for
 * each frame; the frames start every `hop` samples; 2 <= low < high <= 512, and bin 511 stands for bin 512.
 * x: float [nx]; scratch: float [8 * 512]; out: float [frames][high - low + 1], the first of each row 0. */
typedef int lk_audio_spectrum_fn(const float *x, size_t nx, size_t frames, size_t hop, const float *roots,
                                 const float *window, size_t low, size_t high, float *scratch, float *out);

/* The value of every chip at every start: two bands by twelve rows (of half a frame's hop), whitened and weighted.
 * spectrum  float [frames][bins + 1] as lk_audio_spectrum gives it
 * index     uint16 [bands + 1] < bins, and part float [bands + 1] in [0, 1]: the bands' edges; width float [bands]: 1 over
 *           their widths in bins; floors float [bands]: log2 of the noise floor; weights float [bands]; bands even, 4 to
 *           LK_AUDIO_BANDS; the first and the last band are only neighbours of the others
 * pace      frames of the spectrum for each row, above 0 and up to LK_AUDIO_PACE
 * scratch   float [4 * rows * bands]
 * out       float [rows][bands / 2 - 1]
 */
#define LK_AUDIO_PACE (1 << 20)
typedef int lk_audio_chips_fn(const float *spectrum, size_t frames, size_t bins, const uint16_t *index,
                              const float *part, const float *width, const float *floors, const float *weights,
                              size_t bands, double pace, size_t rows, float *scratch, float *out);

/* Row n of the chips against the pattern whose period starts at each of 16 * length places: the sum of chips times
 * signs, and of its squares. Place p means that row n holds row (n - p / length) % 16 of the pattern, from p % length on.
 * chips     float [rows][pairs] as lk_audio_chips gives them; signs float [pairs][16] of -1, 0, +1; length: rows of
 *           chips in a row of the pattern
 * hit, variance   float [rows / length][16 * length]
 */
#define LK_AUDIO_ROWS 16
typedef int lk_audio_rows_fn(const float *chips, size_t rows, size_t pairs, const float *signs, size_t length, float *hit,
                             float *variance);

/* The energy of each stretch of sound after the K-weighting of ITU-R BS.1770-4. In double, to the bit of the twin.
 * x         float [hops][hop][channels], numbers; hop: frames of a stretch, LK_LOUDNESS_LEAST at least. It is cut into lanes
 *           of span = ceil(hop / LK_LOUDNESS_LANES) frames, the last shorter
 * filters   double [7]: b0 b1 b2 a1 a2 of the shelf, a1 a2 of the high pass, whose b are 1 -2 1; in transposed direct form 2
 *           either has a state of two
 * fade      double [span][4]: what a state adds to each of the outputs that follow it
 * step      double [2][4][4]: what becomes of a state in silence as long as a lane, and as the last lane
 * state     double [channels][4], in and out: 0 before the first sample
 * scratch   double [span * LK_LOUDNESS_LANES]
 * energy    double [hops][channels]: the sum of squares */
#define LK_LOUDNESS_LANES 16
#define LK_LOUDNESS_STATES 4
#define LK_LOUDNESS_LEAST 256
typedef int lk_audio_loudness_fn(const float *x, size_t channels, size_t hop, size_t hops, const double *filters,
                                 const double *fade, const double *step, double *state, double *scratch, double *energy);

#endif
