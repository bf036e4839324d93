/* Which of many ports are tried next, and what their answers mean together: the judgement behind a
 * scan (sys/port-scan), without its sockets. Pure.
 *
 * A scan goes in rounds. The first tries every port once, the ends of each span first and then
 * spread over all, so that the few ICMP answers that a sender allows (Linux: six at once, then one
 * a second) fall everywhere. Each further round tries again what stayed silent: of a long silent
 * run a sample, of a short one every port, until loss is no explanation any more. Where anybody
 * answered with ICMP, silence may be a rationed answer as well: a port of each such run is then
 * tried alone, after a calm. What is silent beside rejected ports and was not heard to be silent in
 * a calm is rejected, too. */
#pragma once

#include "model/port-ranges.h"

/* Rounds at most; with every fifth SYN or answer lost, one in ten thousand ports is silent still.
 */
#define PORT_ROUNDS_MAX 12
/* Ports tried alone at most: each takes a calm, and some seconds when it stays silent. */
#define PORT_CALM_TRIES_MAX 4
/* Tried of a run that is longer than PORT_RUN_SHORT. */
#define PORT_RUN_SHORT  64
#define PORT_RUN_SAMPLE 16

typedef enum PortMove {
        PORT_MOVE_ROUND, /* try these at once */
        PORT_MOVE_CALM,  /* try this one alone, when nothing was sent for a while */
        PORT_MOVE_END,
} PortMove;

typedef struct PortRounds {
        PortResult *results; /* ascending; the answers so far, PORT_SILENT while there is none */
        size_t n;
        uint8_t *tries;      /* of each, without an answer */
        bool *calm;          /* silent when tried alone */
        PortSpan *long_runs; /* indexes: of which the last round tried a sample */
        size_t n_long_runs;

        unsigned n_rounds;
        unsigned n_calm_tries;
        unsigned n_quiet;       /* rounds in a row that brought no answer but ICMP */
        size_t n_answered;      /* open or refused */
        size_t n_answered_then; /* when the latest round began */
        bool told;              /* ICMP came */
        bool flooded;           /* the first round was too much for somebody: go slower */
} PortRounds;

/* Spans ascend and do not overlap. -EINVAL when they do, or when there is no port; -ENOMEM. */
int port_rounds_init(PortRounds *p, const PortSpan *spans, size_t n_spans);
void port_rounds_done(PortRounds *p);
#define _cleanup_port_rounds_ _cleanup_(port_rounds_done)

/* What is to be tried next: *ret_n indexes of `results` in targets, which has room for p->n. Every
 * one of them is reported by one of the functions below before this is called again. */
PortMove port_rounds_next(PortRounds *p, uint32_t *targets, size_t *ret_n);
/* An answer came: any state but PORT_UNKNOWN and PORT_SILENT. error, icmp: as in PortResult. */
void port_rounds_answer(PortRounds *p, uint32_t i, PortState state, int error,
                        const IcmpNote *icmp);
/* None came in time. calm: it was tried alone. */
void port_rounds_silence(PortRounds *p, uint32_t i, bool calm);
/* Nothing more is tried: what was silent gets its final state. cut: before PORT_MOVE_END. Returns
 * whether every port has one that is known. */
bool port_rounds_settle(PortRounds *p, bool cut);
