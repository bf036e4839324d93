#include "conf/words.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/addr.h"
#include "base/strv.h"

static bool only(const char *s, const char *more)
{
        for (; *s; s++)
                if (!isalnum((unsigned char)*s) && !strchr(more, *s))
                        return false;
        return true;
}

const char *check_cluster_name(const char *s)
{
        return str_is_name(s, 63) ? NULL : "is not a cluster's name";
}

/* A host name by its letters; what it resolves to is a matter of the machine, not of the file. */
static bool is_host_name(const char *s)
{
        size_t n = strlen(s), label = 0;

        if (n == 0 || n > 253 || *s == '-')
                return false;
        for (; *s; s++) {
                if (*s == '.') {
                        if (label == 0)
                                return false;
                        label = 0;
                } else if ((!isalnum((unsigned char)*s) && !strchr("-_", *s)) || ++label > 63)
                        return false;
        }
        return true;
}

const char *check_head(const char *s)
{
        Addr a;

        if (!*s || addr_parse(s, &a) != -EINVAL)
                return NULL;
        const char *colon = strrchr(s, ':');
        if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1))
                return "has a port in it, which belongs into ports.gcs";
        if (strstr(s, "://"))
                return "is a URL";
        if (strspn(s, "0123456789.") == strlen(s))
                return "is not an address";
        return is_host_name(s) ? NULL : "is neither a host name nor an address";
}

const char *check_domain(const char *s)
{
        return !*s || is_host_name(s) ? NULL : "is not a domain";
}

const char *check_node_name(const char *s)
{
        return !*s || str_is_name(s, 64) ? NULL : "is not a node's name";
}

const char *check_address(const char *s)
{
        Addr a;

        if (!*s)
                return NULL;
        int r = addr_parse(s, &a);
        if (r == -EINVAL)
                return "is not an address";
        if (r < 0 || addr_is_link_local(&a))
                return "is a link-local address, which Ray cannot use";
        if (addr_is_multicast(&a) || addr_is_any(&a))
                return "is not one machine's address";
        return NULL;
}

const char *check_interface(const char *s)
{
        size_t n = strlen(s);
        return n < IF_NAMESIZE && !strpbrk(s, "/ \t") && !streq(s, ".") && !streq(s, "..")
                       ? NULL
                       : "is not an interface's name";
}

const char *check_group(const char *s)
{
        return !*s || str_is_name(s, 63) ? NULL : "is not a group's name";
}

const char *check_version(const char *s)
{
        unsigned a, b, c;
        int n = 0;

        if (streq(s, "auto"))
                return NULL;
        if (sscanf(s, "%4u.%4u.%4u%n", &a, &b, &c, &n) != 3 || !isdigit((unsigned char)*s))
                return "is not a full version";
        return only(s + n, "+.-") && strlen(s) < 32 ? NULL : "is not a full version";
}

static const char *check_path(const char *s)
{
        if (*s != '/')
                return "is not an absolute path";
        if (strstr(s, "/../") || endswith(s, "/..") || strstr(s, "//"))
                return "is a path with .. or // in it";
        return strlen(s) < 4096 ? NULL : "is too long";
}

const char *check_venv(const char *s)
{
        return *s ? check_path(s) : NULL;
}

const char *check_temp_dir(const char *s)
{
        const char *wrong = check_path(s);

        if (wrong)
                return wrong;
        if (endswith(s, "/"))
                return "ends in /";
        if (strpbrk(s, " \t"))
                return "has white space in it";
        return strlen(s) <= CONF_TEMP_DIR_MAX
                       ? NULL
                       : "is too long: Ray's sockets below it would not fit into an AF_UNIX path";
}

const char *check_bind(const char *s)
{
        Addr a;

        if (streq(s, "auto"))
                return NULL;
        return addr_parse(s, &a) == 0 && !addr_is_multicast(&a) ? NULL : "is not an address";
}

/* --- entries of tables -------------------------------------------------------------------------
 */

/* Each of these is said by raycluster itself; a second word on it would be a riddle at three in the
 * morning. Key and what to use instead. */
typedef struct Owned {
        const char *name, *text;
} Owned;

static const Owned owned_env[] = {
        {"RAY_ADDRESS", "is set by raycluster; use cluster.head"},
        {"RAY_AUTH_MODE", "is set by raycluster; use auth.mode"},
        {"RAY_AUTH_TOKEN", "is a secret and this file is not; use /etc/raycluster/ray-token"},
        {"RAY_USE_TLS", "is set by raycluster; use auth.tls"},
        {"RAY_TLS_SERVER_CERT", "is set by raycluster; use auth.tls"},
        {"RAY_TLS_SERVER_KEY", "is set by raycluster; use auth.tls"},
        {"RAY_TLS_CA_CERT", "is set by raycluster; use auth.tls"},
        {"RAY_AUTH_TOKEN_PATH", "is set by raycluster; use /etc/raycluster/ray-token"},
        {"RAY_CLOUD_INSTANCE_ID", "is raycluster's node id"},
        {"RAY_NODE_TYPE_NAME", "is set by raycluster; use node.group"},
        {"RAY_gcs_storage", "is set by raycluster; use engine.gcs_store"},
        {"RAY_gcs_storage_path", "is set by raycluster; use engine.gcs_store"},
        {"RAY_USAGE_STATS_ENABLED", "is set by raycluster, to 0"},
        {"AUTOSCALER_METRIC_PORT", "is set by raycluster; use ports.autoscaler_metrics"},
        {"DASHBOARD_METRIC_PORT", "is set by raycluster; use ports.dashboard_metrics"},
        {"RAY_LOG_TO_STDERR", "is set by raycluster; use log.ray"},
        {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", "is set by raycluster; use engine.drain"},
        {"RAY_gcs_rpc_server_reconnect_timeout_s", "is set by raycluster"},
        {"RAY_event_log_reporter_enabled", "is set by raycluster"},
        {"RAY_enable_autoscaler_v2", "is set by raycluster"},
        {"RAY_TMPDIR", "is set by raycluster; use engine.temp_dir"},
        {"PYTHONUNBUFFERED", "is set by raycluster"},
        {"NOTIFY_SOCKET", "belongs to systemd"},
        {"WATCHDOG_USEC", "belongs to systemd"},
        {"WATCHDOG_PID", "belongs to systemd"},
        {"LISTEN_FDS", "belongs to systemd"},
        {"LISTEN_PID", "belongs to systemd"},
        {}};

static const Owned owned_args[] = {
        {"head", "is set by raycluster; the enabled unit decides the role"},
        {"address", "is set by raycluster; use cluster.head"},
        {"block", "is set by raycluster"},
        {"node-ip-address", "is set by raycluster; use node.address"},
        {"node-name", "is set by raycluster; use node.name"},
        {"port", "is set by raycluster; use ports.gcs"},
        {"node-manager-port", "is set by raycluster; use ports.node_manager"},
        {"object-manager-port", "is set by raycluster; use ports.object_manager"},
        {"runtime-env-agent-port", "is set by raycluster; use ports.runtime_env_agent"},
        {"dashboard-agent-grpc-port", "is set by raycluster; use ports.dashboard_agent_grpc"},
        {"dashboard-agent-listen-port", "is set by raycluster; use ports.dashboard_agent"},
        {"metrics-export-port", "is set by raycluster; use ports.metrics_export"},
        {"dashboard-port", "is set by raycluster; use ports.dashboard"},
        {"dashboard-host", "is set by raycluster; use dashboard.bind"},
        {"ray-client-server-port", "is set by raycluster; use ports.client"},
        {"min-worker-port", "is set by raycluster; use ports.workers"},
        {"max-worker-port", "is set by raycluster; use ports.workers"},
        {"worker-port-list", "is set by raycluster; use ports.workers"},
        {"num-cpus", "is set by raycluster; use resources.cpus"},
        {"num-gpus", "is set by raycluster; use resources.gpus"},
        {"memory", "is set by raycluster; use resources.memory"},
        {"object-store-memory", "is set by raycluster; use resources.object_store_memory"},
        {"resources", "is set by raycluster; use resources.custom"},
        {"labels", "is set by raycluster; use resources.labels"},
        {"labels-file", "is set by raycluster; use resources.labels"},
        {"temp-dir", "is set by raycluster; use engine.temp_dir"},
        {"disable-usage-stats", "is set by raycluster"},
        {"no-redirect-output", "is set by raycluster; use log.ray"},
        {"log-style", "is set by raycluster"},
        {"log-color", "is set by raycluster"},
        {"no-monitor", "is set by raycluster"},
        {"redis-username", "belongs to a store that raycluster does not use"},
        {"redis-password", "belongs to a store that raycluster does not use"},
        {"redis-shard-ports", "belongs to a store that raycluster does not use"},
        {"autoscaling-config", "belongs to Ray's own autoscaler, which raycluster does not use"},
        {"help", "is no setting"},
        {}};

static const char *owned(const Owned *o, const char *name)
{
        for (; o->name; o++)
                if (streq(o->name, name))
                        return o->text;
        return NULL;
}

static const char *give(char **ret, bool *oom, char *s)
{
        *oom = !s;
        *ret = s;
        return NULL;
}

const char *entry_env(const char *name, const ConfRaw *raw, char **ret, bool *oom)
{
        if (!only(name, "_") || !*name || isdigit((unsigned char)*name) || strlen(name) > 255)
                return "is not the name of an environment variable";
        const char *wrong = owned(owned_env, name);
        if (wrong)
                return wrong;
        if (raw->type == CONF_RAW_INT)
                return give(ret, oom, str_printf("%s=%lld", name, (long long)raw->i));
        if (raw->type != CONF_RAW_STRING)
                return "wants a string or a whole number";
        return give(ret, oom, str_printf("%s=%s", name, raw->s));
}

const char *entry_start_arg(const char *name, const ConfRaw *raw, char **ret, bool *oom)
{
        if (strchr(name, '_'))
                return "has \"_\" in it; options of ray start are written with \"-\"";
        /* what libconfig has no name for could not be told to the room */
        if (!only(name, "-") || !isalpha((unsigned char)*name) || strlen(name) > 64 ||
            strcasecmp(name, "true") == 0 || strcasecmp(name, "false") == 0)
                return "is not the name of an option (written without the leading --)";
        const char *wrong = owned(owned_args, name);
        if (wrong)
                return wrong;
        switch (raw->type) {
        case CONF_RAW_BOOL:
                if (startswith(name, "include-")) /* these want a word behind them */
                        return give(ret, oom,
                                    str_printf("--%s=%s", name, raw->b ? "true" : "false"));
                /* a bare flag; false is the same as not to name it */
                return raw->b ? give(ret, oom, str_printf("--%s", name)) : NULL;
        case CONF_RAW_INT:
                return give(ret, oom, str_printf("--%s=%lld", name, (long long)raw->i));
        case CONF_RAW_FLOAT:
                return give(ret, oom, str_printf("--%s=%g", name, raw->d));
        default:
                return give(ret, oom, str_printf("--%s=%s", name, raw->s));
        }
}

/* Ray counts resources in units of 1/10000 (FixedPoint); far above any machine, far below 2^53. */
#define CUSTOM_MAX 1e12

const char *entry_custom(const char *name, const ConfRaw *raw, char **ret, bool *oom)
{
        static const char *const builtin[] = {"CPU", "GPU", "memory", "object_store_memory", NULL};
        double d;
        char *end;

        for (const char *const *b = builtin; *b; b++)
                if (streq(*b, name))
                        return "is one of Ray's own resources; use resources.cpus, .gpus, .memory "
                               "or .object_store_memory";
        if (!*name || strlen(name) > 128 || !only(name, "._-:/"))
                return "is not a resource's name";
        if (startswith(name, "node:"))
                return "is made by Ray itself";
        if (raw->type == CONF_RAW_INT)
                d = (double)raw->i;
        else if (raw->type == CONF_RAW_FLOAT)
                d = raw->d;
        else if (raw->type == CONF_RAW_STRING && *raw->s) {
                d = strtod(raw->s, &end);
                if (*end)
                        return "wants a number";
        } else
                return "wants a number";
        if (!isfinite(d) || d < 0 || d > CUSTOM_MAX)
                return "wants a number from 0 to 10^12";
        return give(ret, oom, str_printf("%s=%.15g", name, d));
}

const char *entry_label(const char *name, const ConfRaw *raw, char **ret, bool *oom)
{
        const char *slash = strrchr(name, '/');
        const char *base = slash ? slash + 1 : name;

        if (startswith(name, "ray.io/") && !streq(name, "ray.io/availability-zone") &&
            !streq(name, "ray.io/availability-region") && !streq(name, "ray.io/market-type") &&
            !streq(name, "ray.io/accelerator-type"))
                return "begins with ray.io/, which Ray keeps for itself";
        if (!str_is_name(base, 63) || (slash && (slash - name > 253 || !only(name, "._-/"))))
                return "is not a label's key";
        if (raw->type == CONF_RAW_INT)
                return give(ret, oom, str_printf("%s=%lld", name, (long long)raw->i));
        if (raw->type != CONF_RAW_STRING || (*raw->s && !str_is_name(raw->s, 63)))
                return "wants a string of at most 63 letters, digits, \".\", \"_\", \"-\", "
                       "beginning and ending with a letter or digit";
        return give(ret, oom, str_printf("%s=%s", name, raw->s));
}
