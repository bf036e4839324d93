/* Which of the heads that discovery finds is this machine's own: discovery tells the membership
 * where to dial, and the membership tells the scout who has proved to be it. */
#pragma once

#include "engine/args.h"
#include "worker/membership.h"
#include "worker/scout.h"

/* Where heads may be: what was found, else what Ray runs for (NULL: for nothing). A head that
 * cluster.head names is the only one. */
void own_head_seek(Membership *m, const Scout *s, const EngineArgs *running, const Settings *conf);
/* Who it is. To be told before a token is. */
void own_head_tell(const Membership *m, Scout *s, const Settings *conf);
/* Whether Ray's token may go to the GCS at this address, for which Ray runs as these arguments say
 * (NULL: lost): Ray itself was started with it there, or it is the confirmed head. Of a machine
 * that is no member its admin has decided. */
bool own_head_may_hear(const Membership *m, const EngineArgs *running, const Addr *gcs);
