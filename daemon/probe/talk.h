/* A greeting sent on a fresh connection and the first bytes of the answer, named. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/service.h"
#include "sys/probe-sock.h"

typedef struct Talk Talk;

typedef struct TalkAnswer {
        bool connected;      /* the connection came about at all */
        ServiceKind kind;    /* SERVICE_UNKNOWN: silence (size 0) or too little to tell */
        const uint8_t *data; /* valid during the callback */
        size_t size;
        int closed; /* positive errno when the other side reset, else 0 */
        usec_t took;
        StreamFacts stream;
        bool stream_known;
} TalkAnswer;

typedef void (*talk_cb)(Talk *t, const TalkAnswer *answer, void *userdata);

/* Takes over fd (connected) on success; fd < 0: connects first, by policy. Ends in one callback
 * within `timeout`. The talk may be freed inside. */
int talk_new(sd_event *event, int fd, const ConnectPolicy *policy, Greeting greeting,
             usec_t timeout, talk_cb cb, void *userdata, Talk **ret);
Talk *talk_free(Talk *t);
DEFINE_CLEANUP(Talk *, talk_free);
/* The answer as far as it is there now, for a deadline that cuts the talk short. */
void talk_snapshot(Talk *t, TalkAnswer *ret);
/* The connection, from inside the callback; the caller owns it. -EBADF when there is none. */
int talk_take_fd(Talk *t);
