#include "disco/source.h"

#include "base/str.h"

int source_new(const SourceVTable *vtable, const SourceContext *context, Source **ret)
{
        Source *s = calloc(1, vtable->size);
        if (!s)
                return -ENOMEM;
        s->vtable = vtable;
        s->context = context;
        *ret = s;
        return 0;
}

static void source_clear(Source *s)
{
        for (size_t i = 0; i < s->n_found; i++)
                candidate_free(s->found[i]);
        s->n_found = 0;
}

Source *source_free(Source *s)
{
        if (!s)
                return NULL;
        s->vtable->done(s);
        source_clear(s);
        free(s->text);
        free(s);
        return NULL;
}

static void source_set_state(Source *s, SourceState state, char *text)
{
        free(s->text);
        s->text = text;
        s->state = state;
        s->context->on_change(s->context->userdata);
}

void source_set(Source *s, SourceState state, char *text, Candidate **found, size_t n)
{
        source_clear(s);
        for (size_t i = 0; i < n; i++)
                if (s->n_found < SOURCE_CANDIDATES_MAX)
                        s->found[s->n_found++] = found[i];
                else
                        candidate_free(found[i]);
        source_set_state(s, state, text);
}

void source_keep(Source *s, char *text)
{
        source_set_state(s, s->state, text);
}

Candidate *source_candidate(const Source *s, const char *name, const char *how)
{
        _cleanup_(candidate_freep) Candidate *c = new0(Candidate, 1);
        if (!c)
                return NULL;
        *c = (Candidate){
                .source = s->vtable->kind,
                .name = strdup(name),
                .cluster = strdup(""),
                .id = strdup(""),
                .how = strdup(how),
                .control_port = s->context->settings->control_port,
        };
        if (!c->name || !c->cluster || !c->id || !c->how)
                return NULL;
        return TAKE_PTR(c);
}

size_t candidate_add_addrs(Candidate *c, const Addr *addrs, size_t n, uint16_t port)
{
        size_t before = c->n_addrs;

        for (size_t i = 0; i < n && c->n_addrs < CANDIDATE_ADDRS_MAX; i++) {
                if (!addr_is_usable(&addrs[i]) || candidate_has(c, &addrs[i]))
                        continue;
                size_t at = c->n_addrs;
                while (addrs[i].family == AF_INET && at > 0 && c->addrs[at - 1].family == AF_INET6)
                        at--;
                memmove(&c->addrs[at + 1], &c->addrs[at], (c->n_addrs - at) * sizeof(Addr));
                c->addrs[at] = addrs[i];
                c->addrs[at].port = port;
                c->addrs[at].scope = 0;
                c->n_addrs++;
        }
        return c->n_addrs - before;
}
