#include "head/head-address.h"

#include "base/alloc.h"
#include "base/log.h"
#include "role/address.h"
#include "sys/netlink.h"
#include "sys/resolve.h"

struct HeadAddress {
        head_address_cb cb;
        void *userdata;
        Resolver *resolver;
        ResolveQuery *query; /* cluster.head, when it is a name */
        Addr named;          /* what it is or resolves to; not set: nothing */
        Addr last;           /* what was found */
        bool moved;
        char *missing;
};

static void on_named(const ResolveAnswer *answer, void *userdata)
{
        HeadAddress *a = userdata;

        a->query = NULL;
        a->named = (Addr){0};
        for (size_t i = 0; i < answer->n_addrs; i++) {
                const Addr *addr = &answer->addrs[i];
                if (!addr_is_set(&a->named))
                        a->named = *addr;
                if (addr_is_usable(addr) && netlink_is_own(addr) > 0) {
                        a->named = *addr;
                        break;
                }
        }
        if (answer->result != RESOLVE_OK)
                log_debug("cluster.head %s: %s", answer->name, answer->text);
        a->cb(a->userdata);
}

void head_address_look(HeadAddress *a, const DiscoSettings *d)
{
        a->query = resolve_query_cancel(a->query);
        a->named = (Addr){0};
        if (isempty(d->head) || addr_parse(d->head, &a->named) >= 0)
                return;
        int r = resolver_host(a->resolver, d->head, d->timeout, on_named, a, &a->query);
        if (r < 0)
                log_debug_errno(r, "Asking for %s: %m", d->head);
}

static int find(HeadAddress *a, const NodeSettings *node, const Addr *used, Addr *ret)
{
        const Addr *named = addr_is_set(&a->named) ? &a->named : NULL;

        if (used) {
                *ret = *used;
                free(TAKE_PTR(a->missing));
                return 1;
        }
        if (a->query)
                return -EAGAIN;
        return address_find(node, ROLE_HEAD, named, &a->missing, ret);
}

int head_address_find(HeadAddress *a, const NodeSettings *node, const Addr *used, Addr *ret)
{
        int r = find(a, node, used, ret);
        if (r > 0 && !addr_equal(ret, &a->last)) {
                a->last = *ret;
                a->moved = true;
        }
        return r;
}

bool head_address_moved(HeadAddress *a)
{
        bool moved = a->moved;

        a->moved = false;
        return moved;
}

const Addr *head_address_last(const HeadAddress *a)
{
        return &a->last;
}

const char *head_address_missing(const HeadAddress *a)
{
        return a->missing;
}

int head_address_new(sd_event *event, head_address_cb cb, void *userdata, HeadAddress **ret)
{
        _cleanup_(head_address_freep) HeadAddress *a = new0(HeadAddress, 1);
        if (!a)
                return -ENOMEM;
        *a = (HeadAddress){.cb = cb, .userdata = userdata};
        int r = resolver_new(event, &a->resolver);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

HeadAddress *head_address_free(HeadAddress *a)
{
        if (!a)
                return NULL;
        resolve_query_cancel(a->query);
        resolver_free(a->resolver);
        free(a->missing);
        free(a);
        return NULL;
}
