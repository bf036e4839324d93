#include "model/candidate.h"

#include "base/str.h"

static const char *const source_state_table[_SOURCE_STATE_MAX] = {
        [SOURCE_IDLE] = "idle",       [SOURCE_ASKING] = "asking", [SOURCE_FOUND] = "found",
        [SOURCE_NOTHING] = "nothing", [SOURCE_FAILED] = "failed",
};
DEFINE_STRTAB(source_state, SourceState);

Candidate *candidate_free(Candidate *c)
{
        if (!c)
                return NULL;
        free(c->name);
        free(c->cluster);
        free(c->id);
        free(c->how);
        free(c);
        return NULL;
}

Candidate *candidate_copy(const Candidate *c)
{
        _cleanup_(candidate_freep) Candidate *n = new0(Candidate, 1);
        if (!n)
                return NULL;
        *n = *c;
        n->name = strdup(strempty(c->name));
        n->cluster = strdup(strempty(c->cluster));
        n->id = strdup(strempty(c->id));
        n->how = strdup(strempty(c->how));
        if (!n->name || !n->cluster || !n->id || !n->how)
                return NULL;
        return TAKE_PTR(n);
}

bool candidate_equal(const Candidate *a, const Candidate *b)
{
        if (!a || !b)
                return a == b;
        if (a->source != b->source || !streq_ptr(a->name, b->name) ||
            !streq_ptr(a->cluster, b->cluster) || !streq_ptr(a->id, b->id) ||
            a->n_addrs != b->n_addrs || a->control_port != b->control_port)
                return false;
        for (size_t i = 0; i < a->n_addrs; i++)
                if (!addr_equal(&a->addrs[i], &b->addrs[i]) || a->addrs[i].port != b->addrs[i].port)
                        return false;
        return true;
}

bool candidate_has(const Candidate *c, const Addr *a)
{
        for (size_t i = 0; c && i < c->n_addrs; i++)
                if (addr_equal(&c->addrs[i], a))
                        return true;
        return false;
}

static void add(Addr *list, size_t *n, size_t max, Addr a, uint16_t port)
{
        a.port = port;
        if (*n < max && !addr_port_in(list, *n, &a))
                list[(*n)++] = a;
}

size_t candidates_control(const Candidate *const *list, size_t n, uint16_t port, Addr *ret,
                          size_t max)
{
        size_t k = 0;

        for (size_t i = 0; i < CANDIDATE_ADDRS_MAX; i++)
                for (size_t j = 0; j < n; j++) {
                        const Candidate *c = list[j];
                        if (i >= c->n_addrs)
                                continue;
                        if (c->control_port)
                                add(ret, &k, max, c->addrs[i], c->control_port);
                        add(ret, &k, max, c->addrs[i], port);
                }
        return k;
}
