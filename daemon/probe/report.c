#include "probe/report.h"

#include "base/alloc.h"
#include "probe/facts.h"
#include "probe/judge.h"
#include "probe/text.h"

void report_done(ProbeReport *r)
{
        free(r->sentence);
        free(r->because);
        free(r->hint);
        free(r->back);
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

/* Into its place by time, behind what is as old. */
static void sink_last(ProbeReport *r)
{
        for (size_t i = r->n_steps; i-- > 1 && r->steps[i - 1].at > r->steps[i].at;) {
                ProbeStep s = r->steps[i];
                r->steps[i] = r->steps[i - 1];
                r->steps[i - 1] = s;
        }
}

void report_add_notes(ProbeReport *r, const Notes *notes, usec_t began)
{
        for (unsigned i = 0; i < notes->n; i++) {
                const Note *n = &notes->notes[i];
                report_add_step(r, n->name, usec_sub(n->at, began), n->took, strdup(n->text));
                sink_last(r);
        }
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
        r->port = e->addr.port;
        r->head = e->head;
        r->other = e->other.asked ? &e->other : NULL;
        r->sampled = e->back.sampled;
        r->all = e->all;
        if (e->all && e->other.n_back > 0)
                (void)port_ranges_of_back(&e->other, announced(e), &e->back.sampled, &r->back,
                                          &r->n_back);
        r->ports = e->ports ? e->ports->ranges : NULL;
        r->n_ports = e->ports ? e->ports->n : 0;
        r->n_alternatives = judge_alternatives(e, &j, r->alternatives);
        r->sentence = text_sentence(e, &j);
        r->because = text_because(e, &j);
        r->hint = text_hint(e, &j);
        (void)text_facts(e, &r->facts);
        (void)text_missing(e, &j, &r->missing);
}
