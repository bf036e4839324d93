#include "member/guests.h"

#include <errno.h>
#include <search.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
        return strcmp(((const Guest *)a)->node, ((const Guest *)b)->node);
}

static void link_in(Guest **list, Guest *x)
{
        x->prev = NULL;
        x->next = *list;
        if (x->next)
                x->next->prev = x;
        *list = x;
}

static void unlink_from(Guest **list, Guest *x)
{
        if (x->prev)
                x->prev->next = x->next;
        else
                *list = x->next;
        if (x->next)
                x->next->prev = x->prev;
}

void guests_add(Guests *g, Guest *x, const Addr *from)
{
        *x = (Guest){.from = from};
        link_in(&g->strangers, x);
        g->n_strangers++;
}

int guests_know(Guests *g, Guest *x, const char *node)
{
        assert(!x->node);
        x->node = node;
        Guest *const *found = tsearch(x, &g->by_node, compare);
        if (!found || *found != x) {
                x->node = NULL;
                return found ? -EEXIST : -ENOMEM;
        }
        unlink_from(&g->strangers, x);
        g->n_strangers--;
        link_in(&g->members, x);
        g->n_members++;
        return 0;
}

void guests_remove(Guests *g, Guest *x)
{
        if (!x->node) {
                unlink_from(&g->strangers, x);
                g->n_strangers--;
                return;
        }
        (void)tdelete(x, &g->by_node, compare);
        unlink_from(&g->members, x);
        g->n_members--;
}

Guest *guests_find(const Guests *g, const char *node)
{
        const Guest key = {.node = node};
        Guest *const *found = tfind(&key, &g->by_node, compare);

        return found ? *found : NULL;
}

size_t guests_from(const Guests *g, const Addr *from)
{
        size_t n = 0;

        for (const Guest *x = g->strangers; x; x = x->next)
                n += addr_equal(x->from, from);
        return n;
}

size_t guests_of_source(const Guests *g, const Addr *from)
{
        size_t n = 0;

        for (const Guest *x = g->strangers; x; x = x->next)
                n += addr_same_source(x->from, from);
        return n;
}
