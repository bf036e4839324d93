#include "probe/judge.h"

void say(Judgement *j, Verdict v, ProbeConfidence c, ProbeDirection d, ProbePlace p,
         const Addr *where)
{
        *j = (Judgement){.verdict = v, .confidence = c, .direction = d, .place = p};
        if (where)
                j->where = *where;
        j->where.port = 0;
}

void say_local(Judgement *j, Verdict v, ProbeConfidence c)
{
        say(j, v, c, PROBE_DIRECTION_LOCAL, PROBE_PLACE_HERE, NULL);
}

void say_head(const Evidence *e, Judgement *j, Verdict v, ProbeConfidence c)
{
        say(j, v, c, PROBE_DIRECTION_OUT, e->local.own ? PROBE_PLACE_HERE : PROBE_PLACE_HEAD,
            &e->addr);
}

void say_open(Judgement *j)
{
        say(j, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, PROBE_DIRECTION_OUT, PROBE_PLACE_UNKNOWN,
            NULL);
}
