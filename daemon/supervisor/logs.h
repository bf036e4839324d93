/* Ray's log files -> the journal. Ray keeps its files, so that drivers still see the prints of
 * tasks (ray-facts 13); we follow the ones of the session that runs. */
#pragma once

#include <systemd/sd-event.h>

#include "supervisor/carry.h"

typedef struct Logs Logs;

/* Before Ray is started: what lies there already is not carried again (a head with a store takes
 * its old session up again). level: syslog priority, less urgent lines stay in the files.
 * files: false = none is followed, and only logs_out() is of use. */
int logs_new(sd_event *event, const char *temp_dir, int level, bool files, Logs **ret);
Logs *logs_free(Logs *l);
DEFINE_CLEANUP(Logs *, logs_free);

/* The way to the journal, for streams that are no files. */
const CarryOut *logs_out(const Logs *l);

/* Looks whether there is a new session; cheap, to be called now and then. */
void logs_look(Logs *l);
/* The last words of what has ended. */
void logs_drain(Logs *l);
