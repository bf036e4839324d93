#include "model/identity.h"

char *versions_mismatch(const Versions *head, const Versions *here)
{
        if (*head->ray && *here->ray && !streq(head->ray, here->ray))
                return str_printf("the head runs Ray %s, this machine has Ray %s: install "
                                  "raycluster-engine for Ray %s here",
                                  head->ray, here->ray, head->ray);
        if (*head->python && *here->python && !streq(head->python, here->python))
                return str_printf("the head runs Python %s, this machine has Python %s: Ray wants "
                                  "the same patch level on "
                                  "both, upgrade the older one",
                                  head->python, here->python);
        return NULL;
}
