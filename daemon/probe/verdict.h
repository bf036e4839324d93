/* The decision: evidence in, judgement out. A pure function; the precedence of causes lives here
 * and nowhere else (probe.md 5.2): local > name > path > firewall > service > TLS and
 * token > two-way > quality.
 * "Proven" is only said of what the evidence leaves no other reading for. */
#pragma once

#include "probe/evidence.h"

typedef struct Judgement {
        Verdict verdict;
        ProbeConfidence confidence;
        ProbeDirection direction;
        ProbePlace place;
        Addr where; /* the machine that the cause sits on; unset when it has no address to name */
} Judgement;

/* Silence is believed after this long: four SYNs and their first retransmissions. */
#define JUDGE_SILENCE (2400 * USEC_PER_MSEC)
/* A dead neighbour, ours or the last router's, is told by the kernel after 3 s; only behind that is
 * total silence silence. */
#define JUDGE_DEAD (3200 * USEC_PER_MSEC)
/* Six SYNs from one address in vain, while another address of ours is answered at once. */
#define JUDGE_USUAL (1250 * USEC_PER_MSEC)
/* A neighbour that owes an answer this long is likely dead. */
#define JUDGE_NEIGH (1200 * USEC_PER_MSEC)
/* A router that says "host unreachable" sooner than this did not wait for ARP, if it does so twice
 * in a row. */
#define JUDGE_AT_ONCE (500 * USEC_PER_MSEC)
/* A service that has our greeting this long and says nothing is stuck: gRPC core sends its SETTINGS
 * from the accept, before any application code. */
#define JUDGE_FROZEN (1900 * USEC_PER_MSEC)

void judge(const Evidence *e, Judgement *ret);
/* The verdict on the connection alone, without the other side and the other ports. Inconclusive
 * when out of memory. */
Verdict judge_from_here(const Evidence *e);

/* Which other causes the same facts allow, the nearest first; none when it is proven, but for what
 * looks the same by nature, and none when nothing is known. Returns how many. */
size_t judge_alternatives(const Evidence *e, const Judgement *j, Verdict ret[ALTERNATIVES_MAX]);
