#include "model/port-rounds.h"

#include <errno.h>

#include "base/alloc.h"

/* Tries without an answer before silence is believed. One in ten is lost when every twentieth SYN
 * and every twentieth answer is. */
#define TRIES_MIN 4
#define QUIET_MIN 2
/* A gap beside rejected ports that is worth a try of its own. */
#define GAP_MIN 64

typedef enum Side {
        SIDE_EDGE,     /* another answer, or the end of a span */
        SIDE_REJECTED, /* told by ICMP */
        SIDE_CALM,     /* silent in a calm */
} Side;

/* Ports in a row, by index, that gave no answer. */
typedef struct Gap {
        size_t first, last;
        Side left, right;
} Gap;

void port_rounds_done(PortRounds *p)
{
        free(p->results);
        free(p->tries);
        free(p->calm);
        free(p->long_runs);
        *p = (PortRounds){0};
}

int port_rounds_init(PortRounds *p, const PortSpan *spans, size_t n_spans)
{
        size_t n = 0, k = 0;
        for (size_t i = 0; i < n_spans; i++) {
                if (spans[i].first == 0 || spans[i].last < spans[i].first ||
                    (i > 0 && spans[i].first <= spans[i - 1].last))
                        return -EINVAL;
                n += (size_t)(spans[i].last - spans[i].first) + 1;
        }
        if (n == 0)
                return -EINVAL;
        _cleanup_port_rounds_ PortRounds new = {
                .results = new0(PortResult, n),
                .tries = new0(uint8_t, n),
                .calm = new0(bool, n),
                .long_runs = new0(PortSpan, n / PORT_RUN_SHORT + 1),
                .n = n,
        };
        if (!new.results || !new.tries || !new.calm || !new.long_runs)
                return -ENOMEM;
        for (size_t i = 0; i < n_spans; i++)
                for (uint32_t port = spans[i].first; port <= spans[i].last; port++)
                        new.results[k++].port = (uint16_t)port;
        *p = new;
        new = (PortRounds){0};
        return 0;
}

/* false: it had its answer before. */
static bool set_result(PortResult *r, PortState state)
{
        if (r->state != PORT_UNKNOWN && r->state != PORT_SILENT)
                return false;
        r->state = state;
        return true;
}

void port_rounds_answer(PortRounds *p, uint32_t i, PortState state, int error, const IcmpNote *icmp)
{
        PortResult *r = &p->results[i];
        if (!set_result(r, state))
                return;
        r->error = error;
        if (state == PORT_REJECTED) {
                r->icmp = *icmp;
                r->told = p->told = true;
        } else if (state == PORT_OPEN || state == PORT_REFUSED)
                p->n_answered++;
}

void port_rounds_silence(PortRounds *p, uint32_t i, bool calm)
{
        if (!set_result(&p->results[i], PORT_SILENT))
                return;
        p->calm[i] = p->calm[i] || calm;
        if (p->tries[i] < UINT8_MAX)
                p->tries[i]++;
}

/* --- the rows of silence ------------------------------------------------------------------------
 */

static bool neighbours(const PortRounds *p, size_t i)
{
        return i + 1 < p->n && p->results[i + 1].port == p->results[i].port + 1;
}

static bool told_at(const PortRounds *p, size_t i)
{
        return p->results[i].told;
}

/* The next silent ports in a row from *i on; by_calm: those heard to be silent in a calm part them.
 * false: no more. *i is then behind them. */
static bool next_gap(const PortRounds *p, size_t *i, bool by_calm, Gap *ret)
{
        size_t a = *i;
        while (a < p->n && (p->results[a].state != PORT_SILENT || (by_calm && p->calm[a])))
                a++;
        if (a >= p->n)
                return false;
        size_t b = a;
        while (neighbours(p, b) && p->results[b + 1].state == PORT_SILENT &&
               !(by_calm && p->calm[b + 1]))
                b++;
        *ret = (Gap){.first = a, .last = b};
        if (a > 0 && neighbours(p, a - 1))
                ret->left = told_at(p, a - 1) ? SIDE_REJECTED
                            : p->calm[a - 1]  ? SIDE_CALM
                                              : SIDE_EDGE;
        if (neighbours(p, b))
                ret->right = told_at(p, b + 1) ? SIDE_REJECTED
                             : p->calm[b + 1]  ? SIDE_CALM
                                               : SIDE_EDGE;
        *i = b + 1;
        return true;
}

static size_t gap_size(const Gap *g)
{
        return g->last - g->first + 1;
}

/* --- rounds -------------------------------------------------------------------------------------
 */

static size_t first_round(const PortRounds *p, uint32_t *targets)
{
        size_t n = 0;
        for (size_t i = 0; i < p->n; i++)
                if (i == 0 || !neighbours(p, i - 1))
                        targets[n++] = (uint32_t)i;
        for (size_t i = 0; i < p->n; i++)
                if (!neighbours(p, i) && i > 0 && neighbours(p, i - 1))
                        targets[n++] = (uint32_t)i;
        /* the numbers with their bits reversed: every beginning of the row is spread over all */
        unsigned bits = 0;
        while ((size_t)1 << bits < p->n)
                bits++;
        for (size_t k = 0; k < (size_t)1 << bits; k++) {
                size_t i = 0;
                for (unsigned b = 0; b < bits; b++)
                        i |= (k >> b & 1) << (bits - 1 - b);
                if (i < p->n && i > 0 && neighbours(p, i - 1) && neighbours(p, i))
                        targets[n++] = (uint32_t)i;
        }
        return n;
}

static unsigned digits(size_t n)
{
        unsigned d = 0;
        for (; n >= 10; n /= 10)
                d++;
        return d;
}

/* Tried so often that loss explains it for one of a thousand scans at most. */
static bool enough(const PortRounds *p, const Gap *g)
{
        unsigned most = 0;
        for (size_t i = g->first; i <= g->last; i++)
                most = MAX(most, (unsigned)p->tries[i]);
        return most * MIN(gap_size(g), (size_t)PORT_RUN_SAMPLE) >= 3 + digits(p->n_answered);
}

static bool tried_out(const PortRounds *p, const Gap *g)
{
        for (size_t i = g->first; i <= g->last; i++)
                if (p->tries[i] >= TRIES_MIN)
                        return p->n_quiet >= QUIET_MIN && enough(p, g);
        return false;
}

/* Part of a long run of which a sample was answered: it was not silent, it was overwhelmed. */
static bool was_overwhelmed(const PortRounds *p, const Gap *g)
{
        for (size_t k = 0; k < p->n_long_runs; k++) {
                if (g->first > p->long_runs[k].last || g->last < p->long_runs[k].first)
                        continue;
                for (size_t i = p->long_runs[k].first; i <= p->long_runs[k].last; i++)
                        if (p->results[i].state == PORT_OPEN || p->results[i].state == PORT_REFUSED)
                                return true;
        }
        return false;
}

static bool wants_round(const PortRounds *p, const Gap *g)
{
        if (g->left == SIDE_REJECTED && g->right == SIDE_REJECTED)
                return false;
        if (gap_size(g) > PORT_RUN_SHORT && (g->left == SIDE_REJECTED || g->right == SIDE_REJECTED))
                return false;
        return !tried_out(p, g);
}

static size_t next_round(PortRounds *p, uint32_t *targets)
{
        _cleanup_free_ PortSpan *samples = new0(PortSpan, p->n / PORT_RUN_SHORT + 1);
        size_t n = 0, n_samples = 0, i = 0;
        Gap g;

        while (samples && next_gap(p, &i, false, &g)) {
                size_t size = gap_size(&g);
                bool all = size <= PORT_RUN_SHORT;
                if (!wants_round(p, &g))
                        continue;
                if (!all && was_overwhelmed(p, &g))
                        all = p->flooded = true;
                if (!all)
                        samples[n_samples++] = (PortSpan){(uint16_t)g.first, (uint16_t)g.last};
                size_t parts = all ? size : PORT_RUN_SAMPLE;
                for (size_t k = 0; k < parts; k++)
                        targets[n++] = (uint32_t)(all ? g.first + k
                                                      : g.first + (size - 1) * k / (parts - 1));
        }
        if (n_samples > 0)
                memcpy(p->long_runs, samples, n_samples * sizeof(*samples));
        p->n_long_runs = n_samples;
        return n;
}

/* --- tries in a calm ----------------------------------------------------------------------------
 */

/* The port of a gap whose silence would mean most; false: the gap is clear enough. */
static bool wants_calm(const Gap *g, size_t *ret)
{
        bool rejected = g->left == SIDE_REJECTED || g->right == SIDE_REJECTED;
        bool calm = g->left == SIDE_CALM || g->right == SIDE_CALM;

        if ((g->left == SIDE_REJECTED && g->right == SIDE_REJECTED) || (calm && !rejected))
                return false;
        if (rejected && gap_size(g) < GAP_MIN)
                return false;
        *ret = !rejected || calm          ? g->first + (g->last - g->first) / 2
               : g->left == SIDE_REJECTED ? g->last
                                          : g->first;
        return true;
}

static bool next_calm(const PortRounds *p, uint32_t *ret)
{
        size_t i = 0, best = 0, at;
        Gap g;

        while (p->told && next_gap(p, &i, true, &g))
                if (gap_size(&g) > best && wants_calm(&g, &at)) {
                        best = gap_size(&g);
                        *ret = (uint32_t)at;
                }
        return best > 0;
}

PortMove port_rounds_next(PortRounds *p, uint32_t *targets, size_t *ret_n)
{
        if (p->n_rounds == 0) {
                *ret_n = first_round(p, targets);
                p->n_rounds = 1;
                return PORT_MOVE_ROUND;
        }
        if (p->n_calm_tries == 0 && p->n_rounds < PORT_ROUNDS_MAX) {
                p->n_quiet =
                        p->n_rounds > 1 && p->n_answered == p->n_answered_then ? p->n_quiet + 1 : 0;
                p->n_answered_then = p->n_answered;
                *ret_n = next_round(p, targets);
                if (*ret_n > 0) {
                        p->n_rounds++;
                        return PORT_MOVE_ROUND;
                }
        }
        if (p->n_calm_tries < PORT_CALM_TRIES_MAX && next_calm(p, targets)) {
                p->n_calm_tries++;
                *ret_n = 1;
                return PORT_MOVE_CALM;
        }
        *ret_n = 0;
        return PORT_MOVE_END;
}

/* --- the end ------------------------------------------------------------------------------------
 */

/* No port between the two, which are tried, was left out. */
static bool one_span(const PortRounds *p, size_t i, size_t j)
{
        return (size_t)(p->results[j].port - p->results[i].port) == j - i;
}

/* The nearest rejection that was told, of the same span first; NULL: none at all. left, right:
 * indexes, or p->n. */
static const IcmpNote *nearest_told(const PortRounds *p, const Gap *g, size_t left, size_t right,
                                    bool *ret_same_span)
{
        bool near_left = left < p->n && one_span(p, left, g->first);
        bool near_right = right < p->n && one_span(p, g->last, right);

        *ret_same_span = near_left || near_right;
        if (left < p->n && (near_left || !near_right))
                return &p->results[left].icmp;
        return right < p->n ? &p->results[right].icmp : NULL;
}

static void settle_gap(PortRounds *p, const Gap *g, size_t left, size_t right, bool cut)
{
        bool calm = g->left == SIDE_CALM || g->right == SIDE_CALM, same_span;
        bool rejected = g->left == SIDE_REJECTED || g->right == SIDE_REJECTED;
        const IcmpNote *told = nearest_told(p, g, left, right, &same_span);
        PortState state = PORT_SILENT;

        if (rejected || (told && !calm && (same_span || !cut)))
                state = PORT_REJECTED;
        else if ((told && !calm) || !enough(p, g))
                state = PORT_UNKNOWN;
        for (size_t i = g->first; i <= g->last; i++) {
                (void)set_result(&p->results[i], state);
                if (state == PORT_REJECTED)
                        p->results[i].icmp = *told;
        }
}

bool port_rounds_settle(PortRounds *p, bool cut)
{
        _cleanup_free_ size_t *right = new0(size_t, p->n);
        size_t i = 0, left = p->n, next = p->n, seen = 0;
        bool known = true;
        Gap g;

        if (!right)
                return false;
        for (size_t k = p->n; k-- > 0;) {
                right[k] = next;
                if (p->results[k].told)
                        next = k;
        }
        while (next_gap(p, &i, true, &g)) {
                for (; seen < g.first; seen++)
                        if (p->results[seen].told)
                                left = seen;
                settle_gap(p, &g, left, right[g.last], cut);
        }
        for (size_t k = 0; k < p->n; k++)
                known = known && p->results[k].state != PORT_UNKNOWN;
        return known;
}
