/* One line on standard error that says what is waited for, while it takes long; nothing where no
 * person looks. */
#pragma once

#include <systemd/sd-event.h>

#include "base/time.h"

typedef struct Progress Progress;

/* What is waited for, into buf, and since when (monotonic). */
typedef void (*progress_say)(char *buf, size_t size, usec_t *ret_since, void *userdata);

/* 0 and *ret = NULL when standard error is no terminal that can erase a line. */
int progress_new(sd_event *event, progress_say say, void *userdata, Progress **ret);
/* Erases the line; it comes back by itself. p may be NULL. */
void progress_erase(Progress *p);
Progress *progress_free(Progress *p);
DEFINE_CLEANUP(Progress *, progress_free);
