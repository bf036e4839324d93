#include "supervisor/children.h"

#include <sys/wait.h>

#include "base/strv.h"
#include "sys/procs.h"
#include "sys/spawn.h"

static const char *const child_kind_table[_CHILD_KIND_MAX] = {
        [CHILD_RAY_START] = "ray start",
        [CHILD_GCS_SERVER] = "gcs_server",
        [CHILD_DASHBOARD] = "dashboard",
        [CHILD_CLIENT_SERVER] = "Ray Client server",
        [CHILD_LOG_MONITOR] = "log monitor",
        [CHILD_RAYLET] = "raylet",
        [CHILD_DASHBOARD_AGENT] = "dashboard agent",
        [CHILD_RUNTIME_ENV_AGENT] = "runtime environment agent",
};
DEFINE_STRTAB(child_kind, ChildKind);

typedef struct Known {
        pid_t pid; /* 0 = not known */
        ProcWatch *watch;
        bool ended;
        int status; /* once ended */
} Known;

struct Children {
        sd_event *event; /* weak */
        child_lost_cb cb;
        void *userdata;
        Known known[_CHILD_KIND_MAX];
        RayId node_id;
        bool node_id_known;
};

/* When Ray falls over, its processes take one another along within a millisecond: `ray start` its
 * children by their parent-death signal, the raylet its agents, an agent its raylet. Whoever was
 * killed by a signal and stands highest was first; without one, it is the one we heard of first. */
static ChildKind cause(Children *c, ChildKind heard)
{
        for (int k = 0; k < (int)heard; k++) {
                Known *x = &c->known[k];
                int status = -1;
                Proc p;
                if (x->pid == 0 || x->ended)
                        continue;
                if (proc_read(NULL, x->pid, &p, &status) >= 0 && status > 0 &&
                    WIFSIGNALED(status)) {
                        x->status = status;
                        return (ChildKind)k;
                }
        }
        return heard;
}

static void on_ended(ProcWatch *w, pid_t pid, int status, void *userdata)
{
        Children *c = userdata;
        ChildKind kind = 0;

        while (kind < _CHILD_KIND_MAX && c->known[kind].watch != w)
                kind++;
        assert(kind < _CHILD_KIND_MAX);
        c->known[kind].ended = true;
        c->known[kind].status = status;
        ChildKind first = cause(c, kind);
        c->cb(c, first, c->known[first].pid, c->known[first].status, c->userdata);
}

static int know(Children *c, ChildKind kind, pid_t pid, pid_t ppid)
{
        Known *k = &c->known[kind];

        if (k->pid != 0)
                return 0;
        int r = proc_watch_new(c->event, pid, ppid, on_ended, c, &k->watch);
        if (r < 0)
                return r;
        k->pid = pid;
        return 1;
}

int children_new(sd_event *event, pid_t ray_start, child_lost_cb cb, void *userdata, Children **ret)
{
        _cleanup_(children_freep) Children *c = new0(Children, 1);

        if (!c)
                return -ENOMEM;
        *c = (Children){.event = event, .cb = cb, .userdata = userdata};
        int r = know(c, CHILD_RAY_START, ray_start, 0);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

Children *children_free(Children *c)
{
        if (!c)
                return NULL;
        for (size_t i = 0; i < _CHILD_KIND_MAX; i++)
                proc_watch_free(c->known[i].watch);
        free(c);
        return NULL;
}

static void learn_node_id(Children *c, char *const *cmdline)
{
        STRV_FOREACH (s, cmdline) {
                const char *id = startswith(*s, "--node_id=");
                if (id && ray_id_parse(id, &c->node_id) >= 0)
                        c->node_id_known = true;
        }
}

/* How the children of `ray start` are told apart. */
static const struct {
        ChildKind kind;
        bool head_only;
        const char *program; /* argv[0] without its folder */
        const char *word;    /* the end of one of python's arguments */
} signs[] = {
        {CHILD_GCS_SERVER, true, "gcs_server", NULL},
        {CHILD_DASHBOARD, true, NULL, "/dashboard/dashboard.py"},
        {CHILD_CLIENT_SERVER, true, NULL, "ray.util.client.server"},
        {CHILD_LOG_MONITOR, false, NULL, "/log_monitor.py"},
        {CHILD_RAYLET, false, "raylet", NULL},
};

static bool has_word(char *const *cmdline, const char *word)
{
        STRV_FOREACH (s, cmdline)
                if (endswith(*s, word))
                        return true;
        return false;
}

/* A zombie has no command line left; its short name must do. */
static bool is_program(const Proc *p, char *const *cmdline, const char *name)
{
        if (!cmdline)
                return p->state == 'Z' && streq(p->comm, name);
        const char *slash = strrchr(cmdline[0], '/');
        return slash && streq(slash + 1, name);
}

static int look_at(Children *c, const Proc *p)
{
        _cleanup_strv_free_ char **cmdline = NULL;

        (void)proc_cmdline(NULL, p->pid, &cmdline);
        for (size_t i = 0; i < ELEMENTSOF(signs); i++) {
                if (signs[i].program ? !is_program(p, cmdline, signs[i].program)
                                     : !has_word(cmdline, signs[i].word))
                        continue;
                if (signs[i].kind == CHILD_RAYLET)
                        learn_node_id(c, cmdline);
                int r = know(c, signs[i].kind, p->pid, p->ppid);
                return r == -ESRCH ? 0 : r; /* gone since */
        }
        return 0;
}

static bool all_known(const Children *c, bool head)
{
        for (size_t i = 0; i < ELEMENTSOF(signs); i++)
                if (c->known[signs[i].kind].pid == 0 && (head || !signs[i].head_only))
                        return false;
        return true;
}

int children_scan(Children *c, bool head)
{
        _cleanup_free_ Proc *l = NULL;
        pid_t root = c->known[CHILD_RAY_START].pid;
        size_t n = 0;

        if (all_known(c, head))
                return 0;
        int r = procs_descendants(NULL, root, &l, &n);
        for (size_t i = 0; i < n && r >= 0; i++)
                if (l[i].ppid == root)
                        r = look_at(c, &l[i]);
        return MIN(r, 0);
}

int children_set_agents(Children *c, pid_t dashboard_agent, pid_t runtime_env_agent)
{
        pid_t raylet = c->known[CHILD_RAYLET].pid;
        int r = 0;

        if (raylet == 0)
                return -ENOENT;
        if (dashboard_agent > 0)
                r = know(c, CHILD_DASHBOARD_AGENT, dashboard_agent, raylet);
        if (r >= 0 && runtime_env_agent > 0)
                r = know(c, CHILD_RUNTIME_ENV_AGENT, runtime_env_agent, raylet);
        return MIN(r, 0);
}

pid_t children_pid(const Children *c, ChildKind kind)
{
        return c->known[kind].ended ? 0 : c->known[kind].pid;
}

const RayId *children_node_id(const Children *c)
{
        return c->node_id_known ? &c->node_id : NULL;
}

int children_kill(Children *c, ChildKind kind, int signo)
{
        Known *k = &c->known[kind];

        return k->watch && !k->ended ? proc_watch_kill(k->watch, signo) : -ESRCH;
}

char *child_end_text(ChildKind kind, pid_t pid, int status)
{
        char how[WAIT_STATUS_MAX];
        const char *verb = status == -1 ? "ended" : WIFSIGNALED(status) ? "was" : "ended with";

        return str_printf("%s (pid %d) %s%s%s", child_kind_to_string(kind), (int)pid, verb,
                          status == -1 ? "" : " ",
                          status == -1 ? "" : wait_status_format(how, status));
}
