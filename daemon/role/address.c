#include "role/address.h"

#include "base/log.h"
#include "base/str.h"
#include "disco/ownaddr.h"

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
