/* The connect stage: one watched attempt, what the kernel says meanwhile, and, when the port stays
 * silent, whether the machine behind it answers anything at all. Ends as soon as the evidence
 * decides, at the latest after about 3.6 s. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/evidence.h"

typedef struct TcpStage TcpStage;

/* From the loop, once; e->tcp, e->local and e->life are filled. fd: the connected socket, owned by
 * the callee, or -EBADF. The stage may be freed inside. */
typedef void (*tcp_stage_cb)(TcpStage *t, int fd, void *userdata);

/* e is weak: it must live as long as the stage; e->addr and e->from are set. */
int tcp_stage_new(sd_event *event, Evidence *e, tcp_stage_cb cb, void *userdata, TcpStage **ret);
TcpStage *tcp_stage_free(TcpStage *t);
DEFINE_CLEANUP(TcpStage *, tcp_stage_free);
/* Brings e up to now, for a deadline that cuts the stage short. */
void tcp_stage_snapshot(TcpStage *t);
