#include "model/role.h"

static const char *const role_table[_ROLE_MAX] = {
        [ROLE_HEAD] = "head",
        [ROLE_WORKER] = "worker",
};
DEFINE_STRTAB(role, Role);
