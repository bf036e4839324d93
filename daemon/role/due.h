/* Which settings wait for a restart of Ray: what runs was started with other arguments than would
 * be written now. The same answer before and after a restart of the daemon. */
#pragma once

#include "base/strv.h"
#include "model/role.h"

/* Both are texts in the format of wire/engine-args.h. *ret: configuration keys, sorted, each once;
 * caller frees. Lines that are findings and not settings (the head's address, the cluster id) are
 * left out. */
int due_keys(Role role, const char *running, const char *wanted, char ***ret);
