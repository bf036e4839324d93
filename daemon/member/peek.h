/* Whose head is there? One look at a control port: its TLS is gone through, as of a machine that is
 * no member, and nothing is said. What is learnt is for people to compare: anybody can make an
 * authority, but nobody can show the words of another's. */
#pragma once

#include <systemd/sd-event.h>

#include "sys/tls-link.h"

typedef struct Peek Peek;

/* pin: of the key of the head's authority; NULL: no head of raycluster answered in PEEK_MAX. Once,
 * from the loop; the peek may be freed inside. */
typedef void (*peek_cb)(Peek *p, const uint8_t *pin, void *userdata);

#define PEEK_MAX (3 * USEC_PER_SEC)

/* head: with the control port. */
int peek_new(sd_event *event, const Addr *head, peek_cb cb, void *userdata, Peek **ret);
Peek *peek_free(Peek *p);
DEFINE_CLEANUP(Peek *, peek_free);
