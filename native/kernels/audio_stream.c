/* SPDX-License-Identifier: Apache-2.0
 *
 * The audio carrier's embedding side in one call: from the host's samples to the marked ones, block by block, with what a
 * stream keeps between two calls in memory of the caller. */
#include <math.h>
#include <string.h>

#include "isa.h"

enum { FRAME = LK_AUDIO_FRAME, HOP = LK_AUDIO_HOP, LAG = LK_AUDIO_SHIELD / 2, AROUND = LK_AUDIO_LIMIT / 2 };
enum { BATCH = LK_AUDIO_STREAM_FRAMES, GIVEN_MOST = LK_AUDIO_STREAM_GIVEN };
enum { PAST = LAG + 2 * AROUND };                   /* samples of the host before a frame that the limiters look at */
enum { NEAR = PAST + (BATCH + 2) * HOP };           /* of a channel: the host at 16 kHz, */
enum { MADE = LAG + (BATCH + 1) * HOP };            /* the difference before it is limited, */
enum { KEPT = PAST + BATCH * HOP };                 /* and the same limited in frequency */
enum { AT, HELD, DOWN, NEAR_HELD, FRAMES, EARLY, FAR_HELD, UP, TAKEN, GIVEN }; /* places in the counts */

struct channel { float *host, *near_, *made, *kept, *far_; };

struct stream {
    const struct lk_audio_stream *form;
    size_t at, held, down, near_held, frames, early, far_held, up; /* as in the counts */
    size_t row, lead;
    float *state, *scratch;
};

static size_t row_of(size_t room, size_t far_room) { return room + far_room + NEAR + MADE + KEPT; }

#ifdef LK_ISA_scalar
size_t lk_audio_stream_state(size_t channels, size_t room, size_t far_room) {
    return channels * row_of(room, far_room) + LK_AUDIO_HEARD;
}

size_t lk_audio_stream_scratch(size_t channels) {
    const size_t sizes[] = {lk_audio_mark_scratch(channels), LK_AUDIO_SHIELD_SCRATCH, 2 * (BATCH * HOP + LK_AUDIO_LIMIT),
                            channels * GIVEN_MOST};
    size_t most = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) most = sizes[i] > most ? sizes[i] : most;
    return most;
}
#endif

static struct channel channel_of(const struct stream *s, size_t c) {
    float *row = s->state + c * s->row, *far_ = row + s->form->room, *near_ = far_ + s->form->far_room;
    return (struct channel){row, near_, near_ + NEAR, near_ + NEAR + MADE, far_};
}

static inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* How many samples a filter of so many taps gives of those that are held, the next one at `position` / up. */
static size_t ready(size_t held, size_t taps, size_t up, size_t down, size_t position) {
    if (held < taps) return 0;
    const uint64_t span = (uint64_t)(held - taps + 1) * up;
    return span <= position ? 0 : (size_t)((span - position + down - 1) / down);
}

/* Whether all are numbers of a size that sound has. */
static int sound(const float *x, size_t count) {
    int wrong = 0;
    for (size_t i = 0; i < count; i++) wrong |= !(fabsf(x[i]) <= LK_AUDIO_LOUDEST);
    return !wrong;
}

/* `count` frames of the channels side by side, into a row for each. */
static LK_INLINE void deal(const struct stream *s, const void *from, size_t first, size_t count, size_t channels) {
    for (size_t c = 0; c < channels; c++) {
        float *to = channel_of(s, c).host + s->at + s->held;
        if (s->form->whole) {
            const int16_t *x = (const int16_t *)from + first * channels + c;
            for (size_t i = 0; i < count; i++) to[i] = (float)x[i * channels] * (1.0f / 32768);
        } else {
            const float *x = (const float *)from + first * channels + c;
            for (size_t i = 0; i < count; i++) to[i] = x[i * channels];
        }
    }
}

static size_t take(struct stream *s, const void *chunk, size_t first, size_t frames) {
    const size_t channels = s->form->channels, count = least(frames - first, s->form->room - s->held);
    if (!count) return 0;
    if (s->at + s->held + count > s->form->room) {
        for (size_t c = 0; c < channels; c++) {
            float *host = channel_of(s, c).host;
            memmove(host, host + s->at, s->held * sizeof *host);
        }
        s->at = 0;
    }
    if (channels == 1) deal(s, chunk, first, count, 1);
    else if (channels == 2) deal(s, chunk, first, count, 2);
    else deal(s, chunk, first, count, channels);
    s->held += count;
    return count;
}

/* To 16 kHz, as far as there is room. */
static size_t descend(struct stream *s) {
    const struct lk_audio_stream *f = s->form;
    const size_t all = f->down_taps ? ready(s->held, f->down_taps, f->up, f->down, s->down) : s->held - s->down;
    const size_t count = least(all, NEAR - s->near_held);
    if (!count) return 0;
    for (size_t c = 0; c < f->channels; c++) {
        const struct channel row = channel_of(s, c);
        if (f->down_taps)
            LK(lk_audio_resample)(row.host + s->at, s->held, f->down_bank, f->down_phases, f->down_taps, f->up, f->down,
                                  s->down, row.near_ + s->near_held, count);
        else
            memcpy(row.near_ + s->near_held, row.host + s->at + s->down, count * sizeof(float));
    }
    s->down += count * f->down;
    s->near_held += count;
    return count;
}

/* Moves what follows the first `gone` of `size` floats to the front, and clears what is left behind `kept`. */
static void shift(float *x, size_t gone, size_t kept, size_t size) {
    memmove(x, x + gone, kept * sizeof *x);
    memset(x + kept, 0, (size - kept) * sizeof *x);
}

/* The difference of the frames that are complete. */
static size_t mark(struct stream *s, size_t most) {
    const struct lk_audio_stream *f = s->form;
    if (s->near_held < PAST + FRAME) return 0;
    const size_t whole = (s->near_held - PAST - FRAME) / HOP + 1, room = (f->far_room - s->far_held) / HOP;
    const size_t frames = least(least(whole, BATCH), least(most, room)), size = frames * HOP;
    if (!frames) return 0;
    const struct channel first = channel_of(s, 0);
    float *heard = s->state + f->channels * s->row;
    LK(lk_audio_mark)(first.near_ + PAST, f->channels, s->row, frames, f->roots, f->window, f->edges, f->bands, f->signs,
                      f->period, s->frames % f->period, f->depths, heard, s->scratch, first.made + LAG);
    const size_t early = least(s->early, size);
    for (size_t c = 0; c < f->channels; c++) {
        const struct channel row = channel_of(s, c);
        float *to = row.far_ + s->far_held;
        LK(lk_audio_shield)(row.near_ + PAST - LAG, row.made, size / LAG, f->spectral_limit, f->roots, f->brief,
                            s->scratch, row.kept + 2 * AROUND);
        LK(lk_audio_limit)(row.near_, row.kept, size, f->energy_limit, s->scratch, to);
        shift(row.made, size, LAG + HOP, LAG + HOP + size);
        shift(row.kept, size, PAST, PAST + size);
        memmove(row.near_, row.near_ + size, (s->near_held - size) * sizeof(float));
        memmove(to, to + early, (size - early) * sizeof(float));
    }
    s->near_held -= size;
    s->far_held += size - early;
    s->early -= early;
    s->frames += frames;
    return frames;
}

/* Host plus difference; full scale is the limit, unless the host exceeds it already. */
static inline float limited(float host, float difference) {
    const float sum = host + difference, loud = fabsf(host), top = loud > 1.0f ? loud : 1.0f;
    return sum > top ? top : sum < -top ? -top : sum;
}

/* The same in whole numbers; to the nearest, halves to even. */
static inline int16_t rounded(float host, float difference) {
    float sum = host * 32768.0f + difference * 32768.0f;
    sum = sum < 32767.0f ? sum : 32767.0f; /* so is what is no number */
    sum = sum > -32768.0f ? sum : -32768.0f;
    return (int16_t)((sum + 12582912.0f) - 12582912.0f);
}

static LK_INLINE void lay(const struct stream *s, void *out, size_t first, size_t count, size_t channels) {
    for (size_t c = 0; c < channels; c++) {
        const float *host = channel_of(s, c).host + s->at + s->lead, *y = s->scratch + c * GIVEN_MOST;
        if (s->form->whole) {
            int16_t *to = (int16_t *)out + first * channels + c;
            for (size_t i = 0; i < count; i++) to[i * channels] = rounded(host[i], y[i]);
        } else {
            float *to = (float *)out + first * channels + c;
            for (size_t i = 0; i < count; i++) to[i * channels] = limited(host[i], y[i]);
        }
    }
}

/* Two channels side by side, which compilers write in whole vectors. */
static void lay_two(const struct stream *s, float *restrict to, size_t count) {
    const float *a = channel_of(s, 0).host + s->at + s->lead, *b = channel_of(s, 1).host + s->at + s->lead;
    const float *y = s->scratch, *z = y + GIVEN_MOST;
    for (size_t i = 0; i < count; i++) {
        to[2 * i] = limited(a[i], y[i]);
        to[2 * i + 1] = limited(b[i], z[i]);
    }
}

/* Back to the host's rate, and out. */
static size_t give(struct stream *s, void *out, size_t first, size_t room) {
    const struct lk_audio_stream *f = s->form;
    const size_t all = f->up_taps ? ready(s->far_held, f->up_taps, f->down, f->up, s->up) : s->far_held;
    const size_t waiting = least(s->held - s->lead, s->down / f->up); /* the second is never less in a stream of ours */
    const size_t count = least(least(all, GIVEN_MOST), least(room, waiting));
    if (!count) return 0;
    for (size_t c = 0; c < f->channels; c++) {
        const float *from = channel_of(s, c).far_;
        float *y = s->scratch + c * GIVEN_MOST;
        if (f->up_taps)
            LK(lk_audio_resample)(from, s->far_held, f->up_bank, f->up_phases, f->up_taps, f->down, f->up, s->up, y, count);
        else
            memcpy(y, from, count * sizeof *y);
    }
    if (!f->adds)
        for (size_t c = 0; c < f->channels; c++)
            for (size_t i = 0; i < count; i++)
                ((float *)out)[(first + i) * f->channels + c] = s->scratch[c * GIVEN_MOST + i];
    else if (f->channels == 1) lay(s, out, first, count, 1);
    else if (f->channels == 2 && !f->whole) lay_two(s, (float *)out + 2 * first, count);
    else lay(s, out, first, count, f->channels);
    s->at += count;
    s->held -= count;
    s->down -= count * f->up;
    s->up += count * f->up;
    const size_t gone = least(s->up / f->down, s->far_held);
    for (size_t c = 0; c < f->channels; c++) {
        float *far_ = channel_of(s, c).far_;
        memmove(far_, far_ + gone, (s->far_held - gone) * sizeof *far_);
    }
    s->far_held -= gone;
    s->up -= gone * f->down;
    return count;
}

static int is_filter(size_t phases, size_t taps) { return !taps || (phases && taps % 16 == 0); }

/* Whether the form is one that the parts take, and the counts lie within the rooms. */
static int is_sane(const struct lk_audio_stream *f, const int64_t *counts) {
    if (!f->channels || f->room > LK_AUDIO_STREAM_ROOM || f->far_room > LK_AUDIO_STREAM_ROOM) return 0;
    if (!f->up || !f->down || f->up > LK_AUDIO_STREAM_STEP || f->down > LK_AUDIO_STREAM_STEP) return 0;
    if (!is_filter(f->down_phases, f->down_taps) || !is_filter(f->up_phases, f->up_taps)) return 0;
    if (!f->down_taps != !f->up_taps || (!f->up_taps && (f->up != 1 || f->down != 1))) return 0;
    if (!f->bands || f->bands > LK_AUDIO_BANDS || !f->period || !f->edges[0] || f->edges[f->bands] > FRAME / 2) return 0;
    for (size_t b = 0; b < f->bands; b++)
        if (f->edges[b] >= f->edges[b + 1]) return 0;
    for (size_t i = AT; i <= UP; i++)
        if (counts[i] < 0 || (i != FRAMES && counts[i] > INT32_MAX)) return 0;
    const size_t lead = f->down_taps ? f->down_taps / 2 - 1 : 0;
    if (!f->down_taps && counts[DOWN] > counts[HELD]) return 0;
    return (size_t)counts[AT] + (size_t)counts[HELD] <= f->room && (size_t)counts[HELD] >= lead &&
           counts[NEAR_HELD] <= NEAR && (size_t)counts[FAR_HELD] <= f->far_room;
}

int LK(lk_audio_stream)(const struct lk_audio_stream *form, const void *chunk, size_t frames, size_t most, int64_t *counts,
                        float *state, float *scratch, void *out, size_t room) {
    if (!is_sane(form, counts)) return LK_BAD_ARGUMENT;
    counts[TAKEN] = -1, counts[GIVEN] = 0;
    if (!form->whole && !sound(chunk, frames * form->channels)) return LK_OK;
    struct stream s = {form, (size_t)counts[AT], (size_t)counts[HELD], (size_t)counts[DOWN], (size_t)counts[NEAR_HELD],
                       (size_t)((uint64_t)counts[FRAMES] % form->period), (size_t)counts[EARLY],
                       (size_t)counts[FAR_HELD], (size_t)counts[UP], row_of(form->room, form->far_room),
                       form->down_taps ? form->down_taps / 2 - 1 : 0, state, scratch};
    const size_t before = s.frames;
    size_t taken = 0, given = 0, moved = 1;
    while (moved) {
        const size_t took = take(&s, chunk, taken, frames);
        moved = took + descend(&s);
        const size_t made = mark(&s, most), gave = give(&s, out, given, room - given);
        taken += took, given += gave, most -= made, moved += made + gave;
    }
    const size_t now[] = {s.at, s.held, s.down, s.near_held};
    for (size_t i = AT; i <= NEAR_HELD; i++) counts[i] = (int64_t)now[i];
    counts[FRAMES] += (int64_t)(s.frames - before);
    counts[EARLY] = (int64_t)s.early, counts[FAR_HELD] = (int64_t)s.far_held, counts[UP] = (int64_t)s.up;
    counts[TAKEN] = (int64_t)taken, counts[GIVEN] = (int64_t)given;
    return LK_OK;
}
