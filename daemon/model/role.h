/* What a machine is in the cluster. */
#pragma once

#include "base/strtab.h"

typedef enum Role {
        ROLE_HEAD,   /* runs the GCS and everything around it */
        ROLE_WORKER, /* runs a raylet that belongs to a head */
        _ROLE_MAX,
        _ROLE_INVALID = -EINVAL,
} Role;

DECLARE_STRTAB(role, Role);
