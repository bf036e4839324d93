/* Is the machine ready for Ray? What the daemon can see before it starts the engine; each trouble
 * one sentence with its remedy. The supervisor, which runs as another user, checks what only it can
 * see. */
#pragma once

#include "model/role.h"
#include "model/settings.h"

/* Below this Ray refuses work or dies half way (object spilling, logs, RocksDB). */
#define READY_DISK_MIN ((uint64_t)512 << 20)
/* An object store below this is of no use, and Ray's own minimum is 75 MB. */
#define READY_SHM_MIN ((uint64_t)100 << 20)

/* Returns 1: ready; 0 and *ret_why (caller frees); or a negative errno. */
int engine_ready(const Settings *s, Role role, char **ret_why);

/* The parts, for tests and `raycluster doctor`; the same results. */
int ready_disk(const char *temp_dir, char **ret_why);
int ready_shm(const char *path, char **ret_why);
int ready_ports(const PortPlan *ports, Role role, const char *proc, char **ret_why);
