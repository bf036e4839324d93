/* Which firewall manager this machine runs, so that a remedy can be said in its words. Nothing is
 * started, asked over a bus or changed; without privilege the rules themselves are not to be seen.
 */
#pragma once

#include "model/reflection.h"

/* root: NULL = this machine, asked in its kernel, too; else files below that folder only.
 * FIREWALL_UNKNOWN where rules may exist that no manager known here has made. */
FirewallManager firewall_manager(const char *root);
