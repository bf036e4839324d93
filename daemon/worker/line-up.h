/* The heads that answer to one name, told apart for a person: of each the name, the address and the
 * words of its authority, which raycluster status says on the right one, too. */
#pragma once

#include <systemd/sd-event.h>

#include "model/candidate.h"

typedef struct LineUp LineUp;

/* line_up_text() is another. From the loop. */
typedef void (*line_up_cb)(void *userdata);

/* More heads of one name are not looked at. */
#define LINE_UP_MAX 8

int line_up_new(sd_event *event, line_up_cb cb, void *userdata, LineUp **ret);
LineUp *line_up_free(LineUp *l);
DEFINE_CLEANUP(LineUp *, line_up_free);

/* These are they (copied); n = 0: nothing is unclear any more. Each is looked at once, one after
 * the other, and again only when the list is another, with a pause: neighbours decide how often
 * that is. */
void line_up_set(LineUp *l, const char *cluster, const Candidate *const *list, size_t n);
/* NULL: not looked at yet. Valid until the next call of line_up_set() or of the callback. */
const char *line_up_text(const LineUp *l);
