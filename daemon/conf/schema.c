#include "conf/schema.h"

#include "conf/words.h"

static const char *const conf_type_table[_CONF_TYPE_MAX] = {
        [CONF_STRING] = "string",        [CONF_WORD] = "word",         [CONF_LEVEL] = "word",
        [CONF_TARGET] = "word",          [CONF_ORDER] = "list",        [CONF_PORT] = "port",
        [CONF_PORT_RANGE] = "ports",     [CONF_DURATION] = "duration", [CONF_SIZE] = "size or auto",
        [CONF_COUNT] = "number or auto", [CONF_TABLE] = "table",
};
DEFINE_STRTAB(conf_type, ConfType);

static const char *const words_order[] = {"static", "dns", "mdns", "last-known", NULL};
static const char *const words_store[] = {"rocksdb", "memory", NULL};
static const char *const words_enrol[] = {"token", "ask", NULL};
static const char *const words_auth[] = {"auto", "token", "disabled", NULL};
static const char *const words_switch[] = {"off", "on", NULL};
static const char *const words_level[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const words_target[] = {"auto", "journal", "stderr", NULL};
static const char *const words_ray_log[] = {"journal", "files", "stderr", NULL};

#define HEAD   (1U << ROLE_HEAD)
#define WORKER (1U << ROLE_WORKER)
#define BOTH   (HEAD | WORKER)
#define AT(m)  .offset = offsetof(Settings, m)

#define PORT(name, number, where, text)                                                            \
        {                                                                                          \
                .path = "ports." #name, .type = CONF_PORT, .value = #number,                       \
                .allowed = "a number from 1024 to 65535", .min = 1024, .max = 65535,               \
                AT(ports.name), .restart = (where), .room = true, .doc = text                      \
        }

const ConfKey conf_keys[CONF_KEYS_N] = {
        {.path = "cluster.name",
         .type = CONF_STRING,
         .value = "default",
         .allowed = "1 to 63 letters, digits, \".\", \"_\", \"-\"",
         AT(disco.cluster),
         .check = check_cluster_name,
         .doc = "The cluster's name; a worker joins no head of another name."},
        {.path = "cluster.head",
         .type = CONF_STRING,
         .value = "",
         .allowed = "a host name or an address, without port; \"\" = discover",
         AT(disco.head),
         .check = check_head,
         .doc = "The head's name or address; empty: found by discovery."},
        {.path = "discovery.order",
         .type = CONF_ORDER,
         .value = "static dns mdns last-known",
         .allowed = "a list of \"static\", \"dns\", \"mdns\", \"last-known\", each at most once",
         .words = words_order,
         AT(disco.order),
         .doc = "Where to look for the head, best first."},
        {.path = "discovery.domain",
         .type = CONF_STRING,
         .value = "",
         .allowed = "a domain; \"\" = the host's own domain and search list",
         AT(disco.domain),
         .check = check_domain,
         .doc = "The domain in which the SRV record _raycluster._tcp is looked up."},
        {.path = "discovery.timeout",
         .type = CONF_DURATION,
         .value = "4s",
         .allowed = "a duration from \"100ms\" to \"1min\"",
         .min = 100 * USEC_PER_MSEC,
         .max = USEC_PER_MIN,
         AT(disco.timeout),
         .doc = "How long one source may take for one round."},
        {.path = "node.name",
         .type = CONF_STRING,
         .value = "",
         .allowed = "1 to 64 letters, digits, \".\", \"_\", \"-\"; \"\" = the host name",
         AT(node.name),
         .check = check_node_name,
         .restart = BOTH,
         .doc = "This machine's name in the cluster."},
        {.path = "node.address",
         .type = CONF_STRING,
         .value = "",
         .allowed = "an own address such as \"10.0.0.7\"; \"\" = found",
         AT(node.address),
         .check = check_address,
         .restart = BOTH,
         .doc = "The own address that Ray uses."},
        {.path = "node.interface",
         .type = CONF_STRING,
         .value = "",
         .allowed = "an interface such as \"eth0\"; \"\" = found",
         AT(node.interface),
         .check = check_interface,
         .restart = BOTH,
         .doc = "The interface whose address Ray uses."},
        {.path = "node.group",
         .type = CONF_STRING,
         .value = "",
         .allowed = "1 to 63 letters, digits, \".\", \"_\", \"-\"; \"\" = none",
         AT(node.group),
         .check = check_group,
         .restart = BOTH,
         .each = true,
         .doc = "The group that Ray shows for this node (RAY_NODE_TYPE_NAME)."},
        PORT(gcs, 6379, HEAD, "GCS: the head's front door."),
        PORT(node_manager, 6380, BOTH, "Raylet."),
        PORT(object_manager, 6381, BOTH, "Raylet: objects between machines."),
        PORT(runtime_env_agent, 6382, BOTH, "Runtime environment agent."),
        PORT(dashboard_agent_grpc, 6383, BOTH, "Dashboard agent, gRPC."),
        PORT(metrics_export, 6384, BOTH, "Metrics of every node, for Prometheus."),
        PORT(dashboard_agent, 6385, BOTH, "Dashboard agent, HTTP."),
        PORT(dashboard_metrics, 6386, HEAD, "Metrics of the dashboard."),
        PORT(autoscaler_metrics, 6387, HEAD, "Metrics of Ray's monitor."),
        PORT(control, 6388, 0, "raycluster's own port on the head."),
        PORT(dashboard, 8265, HEAD, "Dashboard and Jobs API."),
        PORT(client, 10001, HEAD, "Ray Client."),
        {.path = "ports.workers",
         .type = CONF_PORT_RANGE,
         .value = "10002-19999",
         .allowed = "\"first-last\", 1024 to 65535, at least 16 ports",
         .min = 16,
         AT(ports.worker_first),
         .restart = BOTH,
         .room = true,
         .doc = "Ports of Ray's worker processes and drivers; each takes one."},
        {.path = "engine.version",
         .type = CONF_STRING,
         .value = "auto",
         .allowed = "\"auto\" or a full version such as \"2.60.0\"",
         AT(engine.version),
         .check = check_version,
         .restart = BOTH,
         .room = true,
         .doc = "Which installed engine runs; auto: on the head the newest, on a worker the "
                "head's."},
        {.path = "engine.venv",
         .type = CONF_STRING,
         .value = "",
         .allowed = "the absolute path of a Python environment with Ray; \"\" = a package's engine",
         AT(engine.venv),
         .check = check_venv,
         .restart = BOTH,
         .doc = "A site's own Python environment instead of raycluster-engine."},
        {.path = "engine.temp_dir",
         .type = CONF_STRING,
         .value = "/var/lib/ray/tmp",
         .allowed = "an absolute path of at most 36 bytes",
         AT(engine.temp_dir),
         .check = check_temp_dir,
         .restart = BOTH,
         .doc = "Where Ray keeps sessions, sockets and logs (ray start --temp-dir)."},
        {.path = "engine.gcs_store",
         .type = CONF_WORD,
         .value = "rocksdb",
         .allowed = "\"rocksdb\", \"memory\"",
         .words = words_store,
         AT(engine.gcs_store),
         .restart = HEAD,
         .room = true,
         .doc = "Where the head keeps Ray's tables; with rocksdb they outlive a crash."},
        {.path = "engine.drain",
         .type = CONF_DURATION,
         .value = "30s",
         .allowed = "a duration from \"0s\" to \"1h\"",
         .max = 60 * USEC_PER_MIN,
         AT(engine.drain),
         .restart = BOTH,
         .room = true,
         .doc = "How long running tasks may take to end when a node stops."},
        {.path = "engine.env",
         .type = CONF_TABLE,
         .value = "",
         .allowed = "{ NAME = \"value\"; } or [ \"NAME=value\" ]",
         AT(engine.env),
         .entry = entry_env,
         .restart = BOTH,
         .room = true,
         .doc = "More environment variables for Ray."},
        {.path = "engine.start_args",
         .type = CONF_TABLE,
         .value = "",
         .allowed = "{ option = \"value\"; flag = true; } or [ \"option=value\" ]",
         AT(engine.start_args),
         .entry = entry_start_arg,
         .restart = BOTH,
         .room = true,
         .doc = "More options for ray start, without the leading --."},
        {.path = "dashboard.bind",
         .type = CONF_STRING,
         .value = "auto",
         .allowed = "\"auto\" or an address such as \"127.0.0.1\" or \"0.0.0.0\"",
         AT(dashboard_bind),
         .check = check_bind,
         .restart = HEAD,
         .room = true,
         .doc = "Where the dashboard listens; auto: on loopback while auth is off, else on all "
                "addresses."},
        {.path = "resources.cpus",
         .type = CONF_COUNT,
         .value = "auto",
         .allowed = "a number from 0 to 65535, or \"auto\"",
         .max = 65535,
         AT(resources.cpus),
         .restart = BOTH,
         .doc = "CPUs that this node offers."},
        {.path = "resources.gpus",
         .type = CONF_COUNT,
         .value = "auto",
         .allowed = "a number from 0 to 1024, or \"auto\"",
         .max = 1024,
         AT(resources.gpus),
         .restart = BOTH,
         .doc = "GPUs that this node offers."},
        {.path = "resources.memory",
         .type = CONF_SIZE,
         .value = "auto",
         .allowed = "a size of at least \"1MiB\", or \"auto\"",
         .min = 1 << 20,
         AT(resources.memory),
         .restart = BOTH,
         .doc = "Memory that this node offers to tasks."},
        {.path = "resources.object_store_memory",
         .type = CONF_SIZE,
         .value = "auto",
         .allowed = "a size of at least \"75MiB\", or \"auto\"",
         .min = 75 << 20, /* OBJECT_STORE_MINIMUM_MEMORY_BYTES of ray_constants.py */
         AT(resources.object_store_memory),
         .restart = BOTH,
         .doc = "Memory of the object store, in /dev/shm."},
        {.path = "resources.custom",
         .type = CONF_TABLE,
         .value = "",
         .allowed = "{ name = number; } or [ \"name=number\" ]",
         AT(resources.custom),
         .entry = entry_custom,
         .restart = BOTH,
         .doc = "Resources of your own making."},
        {.path = "resources.labels",
         .type = CONF_TABLE,
         .value = "",
         .allowed = "{ key = \"value\"; } or [ \"key=value\" ]",
         AT(resources.labels),
         .entry = entry_label,
         .restart = BOTH,
         .doc = "Labels of this node."},
        {.path = "auth.mode",
         .type = CONF_WORD,
         .value = "auto",
         .allowed = "\"auto\", \"token\", \"disabled\"",
         .words = words_auth,
         AT(auth_mode),
         .restart = BOTH,
         .room = true,
         .doc = "Ray's authentication; auto: a head has a token, a worker when it was given "
                "one."},
        {.path = "auth.enrol",
         .type = CONF_WORD,
         .value = "token",
         .allowed = "\"token\", \"ask\"",
         .words = words_enrol,
         AT(auth_enrol),
         .doc = "How a worker becomes a member: raycluster join; or it asks by itself, too."},
        {.path = "auth.tls",
         .type = CONF_WORD,
         .value = "off",
         .allowed = "\"off\", \"on\"",
         .words = words_switch,
         .room = true,
         AT(auth_tls),
         .restart = BOTH,
         .doc = "TLS for Ray's gRPC, with certificates that the head gives out."},
        {.path = "log.level",
         .type = CONF_LEVEL,
         .value = "info",
         .allowed = "\"error\", \"warning\", \"notice\", \"info\", \"debug\"",
         .words = words_level,
         AT(log.level),
         .doc = "What is less urgent than this is not logged."},
        {.path = "log.target",
         .type = CONF_TARGET,
         .value = "auto",
         .allowed = "\"auto\", \"journal\", \"stderr\"",
         .words = words_target,
         AT(log.target),
         .doc = "Where raycluster logs; auto: the journal under systemd, stderr by hand."},
        {.path = "log.ray",
         .type = CONF_WORD,
         .value = "journal",
         .allowed = "\"journal\", \"files\", \"stderr\"",
         .words = words_ray_log,
         AT(log.ray),
         .restart = BOTH,
         .room = true,
         .doc = "Where Ray's own log lines go."},
};

/* Promised by the design, not there yet: said by name, so that nobody hunts for a typing error. */
static const char *const later[] = {"groups", NULL};

const ConfKey *conf_key_find(const char *path)
{
        for (size_t i = 0; i < CONF_KEYS_N; i++)
                if (streq(conf_keys[i].path, path))
                        return &conf_keys[i];
        return NULL;
}

bool conf_section_exists(const char *name)
{
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const char *rest = startswith(conf_keys[i].path, name);
                if (rest && *rest == '.')
                        return true;
        }
        return false;
}

bool conf_key_is_later(const char *path)
{
        for (size_t i = 0; later[i]; i++)
                if (streq(later[i], path))
                        return true;
        return false;
}

const char *conf_key_suggest(const char *path)
{
        const char *list[2 * CONF_KEYS_N + 1];
        const char *leaf = strrchr(path, '.');
        const char *near;
        size_t n = 0;

        leaf = leaf ? leaf + 1 : path;
        if (leaf != path) { /* a slip within the right section */
                for (size_t i = 0; i < CONF_KEYS_N; i++)
                        if (strncmp(conf_keys[i].path, path, (size_t)(leaf - path)) == 0)
                                list[n++] = conf_keys[i].path + (leaf - path);
                list[n] = NULL;
                near = str_nearest(leaf, list);
                if (near)
                        return near - (leaf - path);
        } else { /* a slip in the section's name */
                static const char *const sections[] = {"cluster", "discovery", "node",      "ports",
                                                       "engine",  "dashboard", "resources", "auth",
                                                       "log",     NULL};
                near = str_nearest(path, sections);
                if (near)
                        return near;
        }
        for (size_t i = 0; i < CONF_KEYS_N; i++) /* the right key in the wrong section */
                if (streq(strchr(conf_keys[i].path, '.') + 1, leaf))
                        return conf_keys[i].path;
        return NULL;
}
