/* What both roles show of Ray's unit, of the GCS and of authentication. */
#pragma once

#include "role/keeper.h"
#include "role/status.h"
#include "role/watch.h"

/* Engine*, RestartDue. more: one more key that is due, or NULL. */
void show_engine(Status *s, const Keeper *k, const char *more);
/* ClusterId, RayVersion, PythonVersion, HeadAddress; f may be NULL: nothing is known. */
void show_gcs(Status *s, const Addr *head, const WatchFacts *f);
/* DashboardUrl, of what runs; NULL: nothing does. */
void show_dashboard(Status *s, const EngineArgs *args);
/* Auth. loud: that it is off is news for the journal, once a change. */
void show_auth(Status *s, bool token, bool loud);
