#include "sys/machine-id.h"

#include <systemd/sd-id128.h>

/* Made with systemd-id128 new; never changes, or every node gets a new identity. */
#define RAYCLUSTER_APP_ID                                                                          \
        SD_ID128_MAKE(b1, aa, ce, 6f, 37, 3c, 41, cb, b7, 76, dd, 71, 68, 83, 09, a1)

int machine_id_for_app(char ret[MACHINE_ID_STR_MAX])
{
        sd_id128_t id;
        int r = sd_id128_get_machine_app_specific(RAYCLUSTER_APP_ID, &id);
        if (r < 0)
                return r;
        sd_id128_to_string(id, ret);
        return 0;
}

int machine_boot_id(char ret[MACHINE_ID_STR_MAX])
{
        sd_id128_t id;
        int r = sd_id128_get_boot(&id);
        if (r < 0)
                return r;
        sd_id128_to_string(id, ret);
        return 0;
}
