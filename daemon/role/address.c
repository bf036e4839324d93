#include "role/address.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "disco/ownaddr.h"
#include "sys/netlink.h"

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

int address_own(Addr *ret, size_t max, char **reterr)
{
        NetAddr *list = NULL;
        size_t n = 0, k = 0;

        int r = netlink_addrs(AF_UNSPEC, &list, &n);
        if (r < 0) {
                *reterr = say_unread(r);
                return r;
        }
        for (size_t i = 0; i < n && k < max; i++)
                if (list[i].global && list[i].usable && !list[i].temporary)
                        ret[k++] = list[i].addr;
        free(list);
        return (int)k;
}
