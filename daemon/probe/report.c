#include "probe/report.h"

#include "base/alloc.h"
#include "probe/facts.h"
#include "probe/text.h"

static const char *const probe_confidence_table[_PROBE_CONFIDENCE_MAX] = {
        [PROBE_PROVEN] = "proven",
        [PROBE_LIKELY] = "likely",
        [PROBE_INCONCLUSIVE] = "inconclusive",
};
DEFINE_STRTAB(probe_confidence, ProbeConfidence);

static const char *const probe_direction_table[_PROBE_DIRECTION_MAX] = {
        [PROBE_DIRECTION_OUT] = "out",
        [PROBE_DIRECTION_BACK] = "back",
        [PROBE_DIRECTION_BOTH] = "both",
        [PROBE_DIRECTION_LOCAL] = "local",
};
DEFINE_STRTAB(probe_direction, ProbeDirection);

static const char *const probe_place_table[_PROBE_PLACE_MAX] = {
        [PROBE_PLACE_UNKNOWN] = "unknown", [PROBE_PLACE_HERE] = "local",
        [PROBE_PLACE_DNS] = "dns",         [PROBE_PLACE_ROUTER] = "router",
        [PROBE_PLACE_PATH] = "path",       [PROBE_PLACE_HEAD] = "head",
};
DEFINE_STRTAB(probe_place, ProbePlace);

void report_done(ProbeReport *r)
{
        free(r->sentence);
        free(r->because);
        free(r->hint);
        strv_free(r->facts);
        strv_free(r->missing);
        for (size_t i = 0; i < r->n_steps; i++) {
                free(r->steps[i].name);
                free(r->steps[i].result);
        }
        free(r->steps);
}

void report_add_step(ProbeReport *r, const char *name, usec_t at, usec_t took, char *result)
{
        _cleanup_free_ char *res = result;
        _cleanup_free_ char *n = strdup(name);
        if (!n || !res)
                return;
        ProbeStep *steps = realloc(r->steps, (r->n_steps + 1) * sizeof(*steps));
        if (!steps)
                return;
        r->steps = steps;
        r->steps[r->n_steps++] = (ProbeStep){
                .name = TAKE_PTR(n),
                .result = TAKE_PTR(res),
                .at = at,
                .took = took,
        };
}

void report_fill(ProbeReport *r, Evidence *e)
{
        Judgement j;

        judge(e, &j);
        if (j.verdict != VERDICT_OK)
                facts_keepers(e);
        r->verdict = j.verdict;
        r->confidence = j.confidence;
        r->direction = j.direction;
        r->place = j.place;
        r->where = j.where;
        r->addr = e->addr;
        r->head = e->head;
        r->other = e->other.asked ? &e->other : NULL;
        r->sampled = e->back.sampled;
        r->n_alternatives = judge_alternatives(e, &j, r->alternatives);
        r->sentence = text_sentence(e, &j);
        r->because = text_because(e, &j);
        r->hint = text_hint(e, &j);
        (void)text_facts(e, &r->facts);
        (void)text_missing(e, &j, &r->missing);
}
