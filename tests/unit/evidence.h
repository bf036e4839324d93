/* Evidence as an examination leaves it, and what is judged and said of it: what the tests of
 * judgements share. */
#pragma once

#include <stdlib.h>

#include "addr.h"

#include "probe/text.h"

#define MS USEC_PER_MSEC

/* A worker 10.77.1.2 behind router 10.77.1.1, a head 10.77.2.2; nothing came back yet. */
_unused_ static Evidence far(void)
{
        Evidence e = {.host = "compute04", .name = NAME_RESOLVED, .n_addrs = 1, .connected = true};
        e.addr = AP("10.77.2.2", 6379);
        e.local.route =
                (NetRoute){.source = A("10.77.1.2"), .gateway = A("10.77.1.1"), .ifindex = 2};
        strcpy(e.local.route.ifname, "w0");
        e.local.nexthop = A("10.77.1.1");
        e.local.has_neigh = true;
        e.local.neigh = NEIGH_REACHABLE;
        e.local.link_known = true;
        e.local.link = (NetLink){.ifindex = 2, .up = true, .carrier = true, .mtu = 1500};
        strcpy(e.local.link.name, "w0");
        e.local.retrans_fail_known = true;
        return e;
}

/* Four SYNs, five retransmissions, and nothing. */
_unused_ static void silent(Evidence *e, usec_t took)
{
        e->tcp = (ConnectFacts){.outcome = CONNECT_PENDING,
                                .local = e->tcp.local,
                                .took = took,
                                .n_sockets = 4,
                                .retransmits = 5,
                                .total_retrans = 5};
        e->life.asked = took > 400 * MS;
}

/* The judgement of the evidence, which has to be this one and to have words for people; V=1 shows
 * them. */
_unused_ static Judgement judged(const Evidence *e, Verdict v, ProbeConfidence c, int line)
{
        Judgement j;
        judge(e, &j);
        if (j.verdict != v || j.confidence != c)
                fail_msg("line %d: %s %s, expected %s %s", line, verdict_to_string(j.verdict),
                         probe_confidence_to_string(j.confidence), verdict_to_string(v),
                         probe_confidence_to_string(c));
        _cleanup_free_ char *s = text_sentence(e, &j);
        _cleanup_free_ char *b = text_because(e, &j);
        _cleanup_free_ char *h = text_hint(e, &j);
        _cleanup_strv_free_ char **f = NULL, **m = NULL;
        if (isempty(s) || strstr(s, "(null)") || isempty(b) || strstr(b, "(null)") || !h ||
            (isempty(h) && v != VERDICT_OK))
                fail_msg("line %d: words are missing: %s / %s / %s", line, strna(s), strna(b),
                         strna(h));
        if (endswith(b, ": ") || strstr(b, ": ;"))
                fail_msg("line %d: %s", line, b);
        assert_int_equal(text_facts(e, &f), 0);
        assert_int_equal(text_missing(e, &j, &m), 0);
        STRV_FOREACH (x, m)
                if (endswith(*x, ": ") || endswith(*x, ":"))
                        fail_msg("line %d: needs what? %s", line, *x);
        if (getenv("V"))
                print_message("%s: %s\nBecause: %s\nTry: %s\n\n", verdict_to_string(v), s, b, h);
        return j;
}

enum { SENTENCE, BECAUSE, HINT };
#define says(e, which, want) says_at((e), (which), (want), __LINE__)
_unused_ static void says_at(const Evidence *e, int which, const char *want, int line)
{
        Judgement j;
        judge(e, &j);
        _cleanup_free_ char *s = which == SENTENCE  ? text_sentence(e, &j)
                                 : which == BECAUSE ? text_because(e, &j)
                                                    : text_hint(e, &j);
        if (!s || !strstr(s, want))
                fail_msg("line %d: \"%s\" is not in \"%s\"", line, want, strna(s));
}
