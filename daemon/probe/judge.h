/* The families of causes behind judge(), and how they speak; the room's own. Each family looks at
 * its part of the evidence and either decides (true) or leaves the decision to the next one. */
#pragma once

#include "probe/verdict.h"

/* where: NULL when the place has no address to name. */
void say(Judgement *j, Verdict v, ProbeConfidence c, ProbeDirection d, ProbePlace p,
         const Addr *where);
/* The cause is on this machine. */
void say_local(Judgement *j, Verdict v, ProbeConfidence c);
/* The cause is on the machine probed. */
void say_head(const Evidence *e, Judgement *j, Verdict v, ProbeConfidence c);
/* The facts do not decide. */
void say_open(Judgement *j);

/* What answers on the connection: greeting, then CheckAlive. */
bool judge_hello(const Evidence *e, Judgement *j);
bool judge_alive(const Evidence *e, Judgement *j);
/* TLS: what the handshake brought (60 to 65). */
bool judge_tls(const Evidence *e, Judgement *j);
/* What the other side saw of a connection that did not come about (42, 44, 46, 50 to 52). */
bool judge_other_side(const Evidence *e, Judgement *j);
/* The port at the head: the latest look, else what was seen before we knocked; NULL: never seen. */
const PortView *port_view(const Evidence *e);
/* It came about nowhere: silence, of a head that is alive (43). */
void say_filtered(const Evidence *e, Judgement *j);
/* SYNs of the attempt that left this machine. */
unsigned syns_sent(const Evidence *e);
/* Where they ended, as far as the head's counters tell. */
typedef enum SynsFate {
        SYNS_UNKNOWN,
        SYNS_AT_HEAD, /* netfilter of the head threw as many packets away */
        SYNS_ON_WAY,  /* it threw none away, and TCP there saw none */
} SynsFate;
SynsFate syns_fate(const Evidence *e);
/* The way back, of a GCS that serves (70 to 76). */
bool judge_way_back(const Evidence *e, Judgement *j);
/* The question was for both ways, and one of them was not seen (90). */
bool judge_half(const Evidence *e, Judgement *j);
/* It serves, and the end came before it was known how well (90). */
bool judge_unmeasured(const Evidence *e, Judgement *j);
/* The end came while large packets were on the way to or from the reflector. */
/* The head has tried to connect back to us. */
bool way_back_is_known(const Evidence *e);
bool large_is_open(const Evidence *e);
/* They were begun, and in one direction came to no end: too much is lost to tell. */
bool large_is_unknown(const Evidence *e);
/* The head sees another address than the one we send from. */
bool is_translated(const Evidence *e);
/* Of BACK_NO_WAY: the head's own firewall did it, not a missing route. */
bool forbids_itself(const BackTry *t);
/* The address by which Ray will have the head connect to this machine. */
const Addr *announced(const Evidence *e);
/* The other ports of a GCS that serves (23, 40 to 43, 50), and that not all of them could be tried
 * (90). */
bool judge_ports(const Evidence *e, Judgement *j);
bool judge_untried(const Evidence *e, Judgement *j);
/* Of one range of e->ports: whether it is blocked, and by what. */
bool judge_port_range(const Evidence *e, const PortRange *r, Judgement *j);
bool same_cause(const Judgement *a, const Judgement *b);
/* The range with a port of the head's raylet that the node table announces and the head refuses;
 * NULL: none. */
const PortRange *announced_and_refused(const Evidence *e);
/* It works, but badly (80 to 84). */
bool judge_quality(const Evidence *e, Judgement *j);

/* Answers come in and are thrown away by our own reverse path filter. */
bool answers_filtered(const Evidence *e);
