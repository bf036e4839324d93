/* It works, but badly: first what Ray stumbles over for certain, then what makes it slow, last what
 * only concerns finding the head. */
#include "probe/judge.h"

#define SKEW_MAX ((int64_t)USEC_PER_SEC)
/* From here loss is no bad luck: with one packet in twenty lost, half of sixteen are not. */
#define LOST_PROVEN 8

/* Both ways of seeing it: our own large packets, and the head's word on a transfer of 64 KiB. */
static bool judge_mtu(const Evidence *e, Judgement *j)
{
        const LargeFacts *l = &e->large;
        const Reflection *o = &e->other;

        if (l->out == LARGE_HOLE || (o->bulk_known && o->up_stalled && o->up_small))
                say(j, VERDICT_MTU_HOLE_OUT, PROBE_PROVEN, PROBE_DIRECTION_OUT, PROBE_PLACE_PATH,
                    NULL);
        else if (l->in == LARGE_HOLE || (o->bulk_known && o->down_stalled && o->down_small))
                say(j, VERDICT_MTU_HOLE_IN, PROBE_PROVEN, PROBE_DIRECTION_BACK, PROBE_PLACE_PATH,
                    NULL);
        else
                return false;
        return true;
}

/* Whose clock is wrong: the one that nobody keeps. */
static bool judge_clock(const Evidence *e, Judgement *j)
{
        const Reflection *o = &e->other;
        if (!o->clock_known)
                return false;
        int64_t off = o->clock_offset_usec < 0 ? -o->clock_offset_usec : o->clock_offset_usec;
        if (off <= SKEW_MAX)
                return false;
        ProbeConfidence c =
                (usec_t)off > (usec_t)SKEW_MAX + o->clock_error ? PROBE_PROVEN : PROBE_LIKELY;
        bool here = e->clock.known && !e->clock.synced && o->clock_sync == CLOCK_SYNC_YES;
        bool there = e->clock.known && e->clock.synced && o->clock_sync == CLOCK_SYNC_NO;
        say(j, VERDICT_CLOCK_SKEW, c, PROBE_DIRECTION_BOTH,
            here    ? PROBE_PLACE_HERE
            : there ? PROBE_PLACE_HEAD
                    : PROBE_PLACE_UNKNOWN,
            there ? &e->addr : NULL);
        return true;
}

static bool judge_samples(const Evidence *e, Judgement *j)
{
        const SampleFacts *s = &e->samples;
        if (!s->asked || s->sent < SAMPLES_ROUND)
                return false;
        bool lossy = s->lost * 100 > s->sent * SAMPLES_LOST_PERCENT;
        bool slow = s->lost < s->sent && s->rtt > SAMPLES_SLOW;
        if (!lossy && !slow)
                return false;
        say(j, VERDICT_LOSSY_OR_SLOW, slow || s->lost >= LOST_PROVEN ? PROBE_PROVEN : PROBE_LIKELY,
            PROBE_DIRECTION_BOTH, PROBE_PLACE_PATH, NULL);
        return true;
}

/* Silence says nothing about the head: it serves, and is not heard. */
static bool judge_hearing(const Evidence *e, Judgement *j)
{
        const HearFacts *h = &e->hear;
        if (!h->asked || !h->ended || h->heard)
                return false;
        if (h->deaf)
                say_local(j, VERDICT_DISCOVERY_BLIND, PROBE_PROVEN);
        else
                say(j, VERDICT_DISCOVERY_BLIND, PROBE_LIKELY, PROBE_DIRECTION_BACK,
                    PROBE_PLACE_UNKNOWN, NULL);
        return true;
}

bool judge_unmeasured(const Evidence *e, Judgement *j)
{
        if (!e->unmeasured)
                return false;
        say_open(j);
        return true;
}

bool judge_quality(const Evidence *e, Judgement *j)
{
        return judge_mtu(e, j) || judge_clock(e, j) || judge_samples(e, j) || judge_hearing(e, j);
}
