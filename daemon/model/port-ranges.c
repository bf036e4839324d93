#include "model/port-ranges.h"

#include "base/alloc.h"
#include "model/way-back.h"

static const char *const port_state_table[_PORT_STATE_MAX] = {
        [PORT_UNKNOWN] = "unknown",   [PORT_OPEN] = "open",     [PORT_REFUSED] = "refused",
        [PORT_REJECTED] = "rejected", [PORT_SILENT] = "silent", [PORT_FAILED] = "failed",
};
DEFINE_STRTAB(port_state, PortState);

static const PortState state_of_back[_BACK_RESULT_MAX] = {
        [BACK_NOT_TRIED] = PORT_UNKNOWN, [BACK_NONCE_OK] = PORT_OPEN,
        [BACK_WRONG_NONCE] = PORT_OPEN,  [BACK_OPEN] = PORT_OPEN,
        [BACK_REFUSED] = PORT_REFUSED,   [BACK_REJECTED] = PORT_REJECTED,
        [BACK_SILENT] = PORT_SILENT,     [BACK_NO_WAY] = PORT_FAILED,
};

static int compare_results(const void *a, const void *b)
{
        const PortResult *x = a, *y = b;
        return (x->port > y->port) - (x->port < y->port);
}

static bool same_icmp(const IcmpNote *a, const IcmpNote *b)
{
        return a->type == b->type && a->code == b->code && addr_equal(&a->from, &b->from);
}

bool port_range_alike(const PortRange *a, const PortRange *b)
{
        if (a->state != b->state)
                return false;
        switch (a->state) {
        case PORT_REJECTED:
                return same_icmp(&a->icmp, &b->icmp);
        case PORT_FAILED:
                return a->error == b->error;
        default:
                return true;
        }
}

static bool within(const PortSpan *s, uint16_t port)
{
        return s && port >= s->first && port <= s->last;
}

/* Adds r behind the ranges there are; they are in order. */
static size_t append(PortRange *ranges, size_t n, const PortRange *r, const PortSpan *sampled)
{
        PortRange *p = n > 0 ? &ranges[n - 1] : NULL;
        if (p && r->first <= p->last)
                return n;
        bool joined = p && (r->first == p->last + 1 ||
                            (within(sampled, p->last) && within(sampled, r->first)));
        if (!joined || !port_range_alike(p, r)) {
                ranges[n] = *r;
                return n + 1;
        }
        p->last = r->last;
        p->n_tried += r->n_tried;
        p->n_told += r->n_told;
        return n;
}

static PortRange range_of(const PortResult *r)
{
        return (PortRange){
                .first = r->port,
                .last = r->port,
                .state = r->state,
                .error = r->state == PORT_FAILED ? r->error : 0,
                .icmp = r->state == PORT_REJECTED ? r->icmp : (IcmpNote){0},
                .n_tried = 1,
                .n_told = r->state == PORT_REJECTED && r->told,
        };
}

/* How many ranges the sorted results make. */
static size_t count_ranges(const PortResult *results, size_t n, const PortSpan *sampled)
{
        PortRange window[2];
        size_t have = 0, total = 0;
        for (size_t i = 0; i < n; i++) {
                PortRange r = range_of(&results[i]);
                size_t now = append(window, have, &r, sampled);
                total += now - have;
                if (now == 2)
                        window[0] = window[1];
                have = 1;
        }
        return total;
}

int port_ranges_fold(PortResult *results, size_t n, const PortSpan *sampled, PortRange **ret,
                     size_t *ret_n)
{
        if (n > 1)
                qsort(results, n, sizeof(*results), compare_results);
        size_t want = count_ranges(results, n, sampled), have = 0;
        PortRange *ranges = want > 0 ? new0(PortRange, want) : NULL;
        if (want > 0 && !ranges)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                PortRange r = range_of(&results[i]);
                have = append(ranges, have, &r, sampled);
        }
        *ret = ranges;
        *ret_n = have;
        return 0;
}

int port_ranges_of_back(const Reflection *r, const Addr *to, const PortSpan *sampled,
                        PortRange **ret, size_t *ret_n)
{
        BackRange all[BACK_TRIES_MAX];
        size_t n = back_ranges(r, to, sampled, all);
        PortRange *ranges = n > 0 ? new0(PortRange, n) : NULL;

        if (n > 0 && !ranges)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                ranges[i] = (PortRange){
                        .first = all[i].first,
                        .last = all[i].last,
                        .state = state_of_back[all[i].try->result],
                        .error = all[i].try->error,
                        .icmp = all[i].try->icmp,
                };
        *ret = ranges;
        *ret_n = n;
        return 0;
}

/* --- words --------------------------------------------------------------------------------------
 */

/* The ranges in mask, joined where nothing lies between. ret has room for n. */
static size_t spans_of(const PortRange *ranges, size_t n, unsigned mask, PortSpan *ret)
{
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
                if (!(mask & PORT_MASK(ranges[i].state)))
                        continue;
                if (k > 0 && ranges[i].first == ret[k - 1].last + 1)
                        ret[k - 1].last = ranges[i].last;
                else
                        ret[k++] = (PortSpan){ranges[i].first, ranges[i].last};
        }
        return k;
}

/* Joins the two members with the least between them. */
static size_t join_nearest(PortSpan *spans, size_t n)
{
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
                if (spans[i + 1].first - spans[i].last < spans[best + 1].first - spans[best].last)
                        best = i;
        spans[best].last = spans[best + 1].last;
        memmove(&spans[best + 1], &spans[best + 2], (n - best - 2) * sizeof(*spans));
        return n - 1;
}

static char *spans_format(const PortSpan *spans, size_t n, const char *separator)
{
        _cleanup_free_ char *text = strdup("");
        for (size_t i = 0; i < n && text; i++) {
                char *more =
                        spans[i].first == spans[i].last
                                ? str_printf("%s%s%u", text, i > 0 ? separator : "", spans[i].first)
                                : str_printf("%s%s%u-%u", text, i > 0 ? separator : "",
                                             spans[i].first, spans[i].last);
                free(text);
                text = more;
        }
        return TAKE_PTR(text);
}

char *port_ranges_format(const PortRange *ranges, size_t n, unsigned mask)
{
        _cleanup_free_ PortSpan *spans = new0(PortSpan, n + 1);
        if (!spans)
                return NULL;
        size_t k = spans_of(ranges, n, mask, spans);
        if (k <= PORT_WORDS_MAX)
                return spans_format(spans, k, ", ");
        _cleanup_free_ char *text = spans_format(spans, PORT_WORDS_MAX, ", ");
        return text ? str_printf("%s and %zu more", text, k - PORT_WORDS_MAX) : NULL;
}

char *port_ranges_list(const PortRange *ranges, size_t n, unsigned mask)
{
        _cleanup_free_ PortSpan *spans = new0(PortSpan, n + 1);
        if (!spans)
                return NULL;
        size_t k = spans_of(ranges, n, mask, spans);
        while (k > PORT_LIST_MAX)
                k = join_nearest(spans, k);
        return spans_format(spans, k, ",");
}

size_t port_ranges_count(const PortRange *ranges, size_t n, unsigned mask)
{
        size_t sum = 0;
        for (size_t i = 0; i < n; i++)
                if (mask & PORT_MASK(ranges[i].state))
                        sum += (size_t)(ranges[i].last - ranges[i].first) + 1;
        return sum;
}
