/* What this machine has for Ray, counted without its devices: the daemons' sandbox hides /dev. */
#pragma once

#include "base/macro.h"

typedef struct Hardware {
        unsigned cpus;         /* online */
        unsigned gpus;         /* NVIDIA's driver's list, AMD's KFD topology */
        uint64_t memory_bytes; /* of the machine */
} Hardware;

/* What cannot be read counts as none. */
Hardware hardware_read(void);
/* The same below another root, for tests: "" is the machine's own. */
unsigned hardware_gpus(const char *root);
