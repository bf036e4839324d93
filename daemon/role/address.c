#include "role/address.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "disco/ownaddr.h"

static char *say_unread(int r)
{
        return str_printf("the addresses of this machine cannot be read: %s", strerror(-r));
}

bool address_find(const NodeSettings *node, Role role, const Addr *head, char **missing, Addr *ret)
{
        _cleanup_free_ char *why = NULL;

        int r = own_address(node, role, head, ret, &why);
        if (r > 0) {
                if (*missing)
                        log_event(LOG_INFO, MSG_UNBLOCKED, NULL, "this machine has an address");
                free(TAKE_PTR(*missing));
                return true;
        }
        if (r < 0)
                why = say_unread(r);
        if (free_and_strdup(missing, strempty(why)) > 0)
                log_event(LOG_WARNING, MSG_BLOCKED, NULL, "blocked: %s", *missing);
        return false;
}

size_t address_order(const NetAddr *list, size_t n, const Addr *first, Addr *ret, size_t max)
{
        Addr own = first && addr_is_usable(first) ? *first : (Addr){0};
        size_t k = 0;

        own.port = 0;
        own.scope = 0;
        if (addr_is_set(&own) && k++ < max)
                ret[0] = own;
        for (size_t i = 0; i < n; i++)
                if (list[i].global && list[i].usable && !list[i].temporary &&
                    !addr_equal(&list[i].addr, &own) && k++ < max)
                        ret[k - 1] = list[i].addr;
        return k;
}

static void tell_lost(size_t n, size_t max, const Addr *first)
{
        static bool told;
        bool known = first && addr_is_usable(first);
        char at[ADDR_MAX];

        if (told)
                return;
        told = true;
        log_warning("This machine has %zu addresses, and a certificate names %zu at most: the "
                    "others are not in it.%s%s%s",
                    n, max, known ? " The one of Ray, " : "", known ? addr_format(at, first) : "",
                    known ? ", is." : "");
}

int address_own(const Addr *first, Addr *ret, size_t max, char **reterr)
{
        _cleanup_free_ NetAddr *list = NULL;
        size_t n = 0;

        int r = netlink_addrs(AF_UNSPEC, &list, &n);
        if (r < 0) {
                *reterr = say_unread(r);
                return r;
        }
        size_t all = address_order(list, n, first, ret, max);
        if (all > max)
                tell_lost(all, max, first);
        return (int)MIN(all, max);
}
