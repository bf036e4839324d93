/* The head's mDNS announcement by Avahi's D-Bus API: there while asked for, renamed on collision,
 * made again when avahi-daemon restarts, gone when our process ends. Absence of Avahi is a text,
 * not an error. */
#pragma once

#include "base/strv.h"
#include "sys/bus.h"

typedef struct Publisher Publisher;

typedef struct PublisherOps {
        /* publisher_text() changed. Also from inside publisher_set() and publisher_withdraw(). May
         * not free the publisher. */
        void (*on_change)(Publisher *p, void *userdata);
} PublisherOps;

int publisher_new(Bus *bus, const PublisherOps *ops, void *userdata, Publisher **ret);
Publisher *publisher_free(Publisher *p);
DEFINE_CLEANUP(Publisher *, publisher_free);

/* instance ≤ 63 bytes; txt: "key=value" list, < 400 bytes in all (-E2BIG). Replaces an earlier
 * announcement. */
int publisher_set(Publisher *p, const char *instance, uint16_t port, char *const *txt);
void publisher_withdraw(Publisher *p);
bool publisher_is_published(const Publisher *p);
/* "published as 'lab1 head on compute04' on port 6388", "not published: avahi-daemon is not
 * running" */
const char *publisher_text(const Publisher *p);
