/* What the head says of itself by mDNS while it serves. */
#pragma once

#include "disco/publish.h"
#include "model/settings.h"
#include "role/status.h"
#include "role/watch.h"

/* As publisher_set(), of what the GCS has told. -ENOMEM. */
int announcement_make(Publisher *p, const Settings *c, const Status *s, const Watch *w);
/* Its state for people, and the first time in the journal. */
void announcement_show(const Publisher *p, Status *s);
