#include "role/address.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "disco/ownaddr.h"
#include "sys/netlink.h"

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
                why = str_printf("the addresses of this machine cannot be read: %s", strerror(-r));
        if (free_and_strdup(missing, strempty(why)) > 0)
                log_event(LOG_WARNING, MSG_BLOCKED, NULL, "blocked: %s", *missing);
        return false;
}

size_t address_own(Addr *ret, size_t max)
{
        NetAddr *list = NULL;
        size_t n = 0, k = 0;

        if (netlink_addrs(AF_UNSPEC, &list, &n) < 0)
                return 0;
        for (size_t i = 0; i < n && k < max; i++)
                if (list[i].global && list[i].usable && !list[i].temporary)
                        ret[k++] = list[i].addr;
        free(list);
        return k;
}
