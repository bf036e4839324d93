/* The address that Ray is told on the head. In a configuration that the whole room shares
 * cluster.head names this machine, and says which of several addresses is the right one. */
#pragma once

#include <systemd/sd-event.h>

#include "base/addr.h"
#include "model/settings.h"

typedef struct HeadAddress HeadAddress;

/* A name server has answered. From the loop. */
typedef void (*head_address_cb)(void *userdata);

int head_address_new(sd_event *event, head_address_cb cb, void *userdata, HeadAddress **ret);
HeadAddress *head_address_free(HeadAddress *a);
DEFINE_CLEANUP(HeadAddress *, head_address_free);

/* Asks for cluster.head, again, if it is a name: a name server does not tell of changes. */
void head_address_look(HeadAddress *a, const DiscoSettings *d);
/* used: that Ray has, which it keeps; NULL: it does not run. 1: *ret is set; 0: there is none, and
 * head_address_missing() says why; -EAGAIN: the name server has not answered yet. */
int head_address_find(HeadAddress *a, const NodeSettings *node, const Addr *used, Addr *ret);
/* Whether head_address_last() is another one since this was asked last. */
bool head_address_moved(HeadAddress *a);
/* What was found last; not set: nothing yet. */
const Addr *head_address_last(const HeadAddress *a);
/* NULL: there is one, or nobody has looked. */
const char *head_address_missing(const HeadAddress *a);
