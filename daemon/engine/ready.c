#include "engine/ready.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "base/parse.h"
#include "base/str.h"
#include "sys/listeners.h"

static int say(char **ret_why, char *text)
{
        if (!text)
                return -ENOMEM;
        *ret_why = text;
        return 0;
}

static int free_bytes(const char *path, uint64_t *ret)
{
        struct statvfs v;

        if (statvfs(path, &v) < 0)
                return -errno;
        *ret = (uint64_t)v.f_bavail * v.f_frsize;
        return 0;
}

int ready_disk(const char *temp_dir, char **ret_why)
{
        _cleanup_free_ char *dir = strdup(temp_dir);
        uint64_t bytes = 0;
        char have[SIZE_STR_MAX], want[SIZE_STR_MAX];

        if (!dir)
                return -ENOMEM;
        /* not made yet on a first start: then its nearest parent is the file system it will be on
         */
        int r;
        while ((r = free_bytes(dir, &bytes)) == -ENOENT) {
                char *slash = strrchr(dir, '/');
                if (!slash || slash == dir)
                        break;
                *slash = 0;
        }
        if (r == -EACCES)
                return 1; /* the supervisor can look and will say */
        if (r < 0)
                return say(ret_why, str_printf("engine.temp_dir: %s cannot be looked at: %s",
                                               temp_dir, strerror(-r)));
        if (bytes >= READY_DISK_MIN)
                return 1;
        return say(ret_why, str_printf("the disk of %s has %s left and Ray needs %s: make room, or "
                                       "set engine.temp_dir to another disk",
                                       temp_dir, format_size(have, bytes),
                                       format_size(want, READY_DISK_MIN)));
}

int ready_shm(const char *path, char **ret_why)
{
        uint64_t bytes = 0;
        char have[SIZE_STR_MAX];

        int r = free_bytes(path, &bytes);
        if (r == -EACCES)
                return 1;
        if (r < 0)
                return say(ret_why, str_printf("%s cannot be looked at (%s), and Ray keeps its "
                                               "objects there: mount a tmpfs on it",
                                               path, strerror(-r)));
        if (bytes >= READY_SHM_MIN)
                return 1;
        return say(ret_why, str_printf("%s has %s left, too little for Ray's objects: remove what "
                                       "fills it, or mount it larger",
                                       path, format_size(have, bytes)));
}

typedef struct Port {
        const char *key;
        uint16_t port;
} Port;

static size_t own_ports(const PortPlan *p, Role role, Port ret[16])
{
        size_t n = 0;

        ret[n++] = (Port){"node_manager", p->node_manager};
        ret[n++] = (Port){"object_manager", p->object_manager};
        ret[n++] = (Port){"runtime_env_agent", p->runtime_env_agent};
        ret[n++] = (Port){"dashboard_agent_grpc", p->dashboard_agent_grpc};
        ret[n++] = (Port){"metrics_export", p->metrics_export};
        ret[n++] = (Port){"dashboard_agent", p->dashboard_agent};
        if (role != ROLE_HEAD)
                return n;
        ret[n++] = (Port){"gcs", p->gcs};
        ret[n++] = (Port){"dashboard", p->dashboard};
        ret[n++] = (Port){"client", p->client};
        ret[n++] = (Port){"dashboard_metrics", p->dashboard_metrics};
        ret[n++] = (Port){"autoscaler_metrics", p->autoscaler_metrics};
        return n;
}

int ready_ports(const PortPlan *ports, Role role, const char *proc, char **ret_why)
{
        _cleanup_free_ Listener *l = NULL;
        size_t n = 0;
        Port own[16];

        int r = listeners_read(proc, &l, &n);
        if (r < 0)
                return r;
        size_t n_own = own_ports(ports, role, own);
        for (size_t i = 0; i < n_own; i++)
                for (size_t k = 0; k < n; k++) {
                        if (l[k].addr.port != own[i].port)
                                continue;
                        _cleanup_free_ char *who = listener_owner(&l[k]);
                        if (!who)
                                return -ENOMEM;
                        return say(ret_why, str_printf("port %u (ports.%s) is taken by %s: stop "
                                                       "it, or set ports.%s to a free one",
                                                       own[i].port, own[i].key, who, own[i].key));
                }
        return 1;
}

int engine_ready(const Settings *s, Role role, char **ret_why)
{
        int r = ready_disk(s->engine.temp_dir, ret_why);
        if (r > 0)
                r = ready_shm("/dev/shm", ret_why);
        if (r > 0)
                r = ready_ports(&s->ports, role, NULL, ret_why);
        return r;
}
