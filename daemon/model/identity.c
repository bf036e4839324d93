#include "model/identity.h"

bool version_matches(const char *a, const char *b)
{
        size_t n = MIN(strlen(a), strlen(b));

        if (n == 0)
                return true;
        return strncmp(a, b, n) == 0 && (!a[n] || a[n] == '.') && (!b[n] || b[n] == '.');
}

char *versions_mismatch(const Versions *head, const Versions *here)
{
        if (!version_matches(head->ray, here->ray))
                return str_printf("the head runs Ray %s, this machine has Ray %s: install "
                                  "raycluster-engine for Ray %s here",
                                  head->ray, here->ray, head->ray);
        if (!version_matches(head->python, here->python))
                return str_printf("the head runs Python %s, this machine has Python %s: Ray wants "
                                  "the same patch level on "
                                  "both, upgrade the older one",
                                  head->python, here->python);
        return NULL;
}
