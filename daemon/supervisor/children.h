/* The processes Ray cannot do without, known by their place in the tree: `ray start` is our child,
 * gcs_server and raylet are its children, the two agents are the raylet's and named by it. Their
 * names are only used to choose among siblings that Ray itself made, before any user's code runs.
 */
#pragma once

#include <sys/types.h>

#include <systemd/sd-event.h>

#include "base/strtab.h"
#include "model/node.h"

typedef enum ChildKind {
        /* in the order in which one takes the others along */
        CHILD_RAY_START,
        CHILD_GCS_SERVER,
        CHILD_DASHBOARD,     /* head; `ray start` ends all when one of these helpers dies */
        CHILD_CLIENT_SERVER, /* head */
        CHILD_LOG_MONITOR,
        CHILD_RAYLET,
        CHILD_DASHBOARD_AGENT,   /* the raylet ends with it */
        CHILD_RUNTIME_ENV_AGENT, /* the same */
        _CHILD_KIND_MAX,
        _CHILD_KIND_INVALID = -EINVAL,
} ChildKind;

DECLARE_STRTAB(child_kind, ChildKind);

typedef struct Children Children;

/* The process that ended first, as far as can be told when several are gone at once; status is of
 * wait(2), or -1 when not known. Called for every one that ends; may free the Children. */
typedef void (*child_lost_cb)(Children *c, ChildKind kind, pid_t pid, int status, void *userdata);

int children_new(sd_event *event, pid_t ray_start, child_lost_cb cb, void *userdata,
                 Children **ret);
Children *children_free(Children *c);
DEFINE_CLEANUP(Children *, children_free);

/* Looks for the children of `ray start`; quick to return once all of the role are known. */
int children_scan(Children *c, bool head);
/* The agents, as the raylet names them; what is not the raylet's child is not believed. */
int children_set_agents(Children *c, pid_t dashboard_agent, pid_t runtime_env_agent);

/* 0 = not known (yet), or ended. */
pid_t children_pid(const Children *c, ChildKind kind);
/* Ray's id of this node, from the raylet's command line; NULL = not known yet. */
const RayId *children_node_id(const Children *c);
int children_kill(Children *c, ChildKind kind, int signo);

/* "raylet (pid 4711) was killed by SIGKILL"; caller frees. */
char *child_end_text(ChildKind kind, pid_t pid, int status) _warn_unused_result_;
