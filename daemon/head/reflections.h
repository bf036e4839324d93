/* The reflector of the control port: what members ask of it, and nobody else. Each member has one
 * conversation at a time; it is connected back to at the addresses of its certificate, and at ports
 * of the plan only. */
#pragma once

#include "member/gate.h"
#include "reflect/reflector.h"

/* Conversations that are remembered; of more, those that were silent longest begin anew, and while
 * all of them run a test the next one has to wait. */
#define REFLECTIONS_MAX 64
/* Requests of one member in ten seconds; an examination has four. */
#define REFLECTIONS_REQUESTS 20

typedef struct Reflections Reflections;

/* Nobody is connected back to before reflections_configure() has named ports. */
int reflections_new(sd_event *event, Reflections **ret);
Reflections *reflections_free(Reflections *r);
DEFINE_CLEANUP(Reflections *, reflections_free);

/* back.claimed is taken as set: a certificate vouches for what is claimed. */
void reflections_configure(Reflections *r, const ReflectPolicy *p);

/* An on_reflect() of the gate, which outlives the conversation or is said good-bye to with
 * reflections_forget_all(). */
void reflections_request(Reflections *r, Gate *g, const GateMember *m, MemberBytes request);
/* The member went away: what was tested for it is of no interest any more. */
void reflections_forget(Reflections *r, const char *node);
void reflections_forget_all(Reflections *r);

/* For tests: conversations, and requests for what nobody may have. */
size_t reflections_count(const Reflections *r);
uint64_t reflections_forbidden(const Reflections *r);
