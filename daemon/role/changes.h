/* Tells when the machine may have become ready, or ready in another way: addresses, links and
 * routes changed, an engine was installed or removed, the token came or went. What cannot be
 * watched is covered by the keeper's own rechecks. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct Changes Changes;

/* Once a burst, from the loop, a little after it: a package manager writes for seconds. */
typedef void (*changes_cb)(void *userdata);

int changes_new(sd_event *event, changes_cb cb, void *userdata, Changes **ret);
Changes *changes_free(Changes *c);
DEFINE_CLEANUP(Changes *, changes_free);
