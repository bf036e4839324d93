/* A launch of Ray's unit: whether the machine is ready for it, its arguments, the order to systemd.
 */
#pragma once

#include "base/messages.h"
#include "engine/args.h"
#include "engine/unit.h"

/* `engine` of the plan is chosen here. head_ray: the Ray version to run, "" = as configured.
 * Returns 1 when systemd was asked; or 0 and *ret_why (one sentence, caller frees; NULL = out of
 * memory), *ret_id when it is not the one for any other reason. *ret_engine may be set in both
 * cases: engine_done(). */
int launch(EngineUnit *unit, const EnginePlan *plan, const char *head_ray, Engine *ret_engine,
           char **ret_why, MessageId *ret_id);
