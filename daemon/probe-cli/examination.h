/* One examination as the command line wants it: the library's, and where DNS does not know the
 * name, what this system says of it (nss.h). */
#pragma once

#include "probe/probe.h"

typedef struct Examination Examination;

/* The report is valid during the callback; the examination may be freed inside it. */
typedef void (*examination_cb)(Examination *x, const ProbeReport *report, void *userdata);

/* request: not copied, must live as long. */
int examination_new(sd_event *event, const ProbeRequest *request, examination_cb cb, void *userdata,
                    Examination **ret);
Examination *examination_free(Examination *x);
DEFINE_CLEANUP(Examination *, examination_free);
/* As probe_doing(). */
const char *examination_doing(const Examination *x, usec_t *ret_since);
