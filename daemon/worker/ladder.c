#include "worker/ladder.h"

#include "base/str.h"

/* "static: …; dns: …": what each source that was asked had to say. */
static int join_reports(const LadderFacts *f, char **ret)
{
        _cleanup_strv_free_ char **l = NULL;

        for (size_t i = 0; i < f->n_reports; i++) {
                const DiscoReport *e = &f->reports[i];
                if (e->state == SOURCE_IDLE || isempty(e->text))
                        continue;
                int r = strv_extendf(&l, "%s: %s", disco_source_to_string(e->source), e->text);
                if (r < 0)
                        return r;
        }
        *ret = strv_length(l) > 0 ? strv_join(l, "; ") : strdup("discovery has just begun");
        return *ret ? 0 : -ENOMEM;
}

static char *say_nothing_found(const LadderFacts *f)
{
        _cleanup_free_ char *tried = NULL;

        if (join_reports(f, &tried) < 0)
                return NULL;
        return str_printf("waiting: no head of cluster \"%s\" found (%s)", f->cluster, tried);
}

int ladder_text(const LadderFacts *f, char **ret)
{
        const Candidate *c = f->candidate;

        *ret = NULL;
        if (f->ambiguous)
                *ret = str_printf("waiting: %s", f->ambiguous);
        else if (f->unconfirmed)
                *ret = str_printf("waiting: this machine's own head is not found yet: %s",
                                  f->unconfirmed);
        else if (!c || c->n_addrs == 0)
                *ret = say_nothing_found(f);
        else if (f->serving)
                return 0;
        else if (isempty(f->why))
                *ret = str_printf("waiting: asking head %s, found by %s", c->name, c->how);
        else
                *ret = str_printf("waiting: %s (found by %s)", f->why, c->how);
        return *ret ? 1 : -ENOMEM;
}
