/* Over 500 lines on purpose: one table of keys and its two users, reading and writing. */
#include "wire/engine-args.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/parse.h"
#include "model/node.h"

/* How a value is read and written. */
typedef enum Kind {
        KIND_ROLE,
        KIND_STRING,     /* anything, also nothing */
        KIND_PATH,       /* absolute */
        KIND_PATH_EMPTY, /* absolute or "" */
        KIND_PATH_MAYBE, /* absolute, or left out */
        KIND_SERIAL,     /* hex digits, or left out */
        KIND_STORE,      /* rocksdb, memory */
        KIND_LOG_RAY,    /* journal, files, stderr */
        KIND_CLUSTER_ID, /* 56 hex digits or "" */
        KIND_ADDR,
        KIND_ADDR_PORT,
        KIND_PORT,
        KIND_PORT_RANGE, /* two uint16_t side by side */
        KIND_USEC,
        KIND_COUNT, /* int64_t; -1 = not there */
        KIND_SIZE,  /* uint64_t; 0 = not there */
        KIND_LEVEL,
        KIND_ENV,      /* NAME=value, list */
        KIND_ARG,      /* --key or --key=value, list */
        KIND_RESOURCE, /* name=number, list */
        KIND_LABEL,    /* key=value, list */
} Kind;

typedef struct Key {
        const char *name;
        Kind kind;
        size_t offset;
} Key;

#define KEY(n, k, member)                                                                          \
        {                                                                                          \
                n, k, offsetof(EngineArgs, member)                                                 \
        }

static const Key keys[] = {
        KEY("ROLE", KIND_ROLE, role),
        KEY("VENV", KIND_PATH, venv),
        KEY("NODE_ADDRESS", KIND_ADDR, node_address),
        KEY("HEAD_ADDRESS", KIND_ADDR_PORT, head_address),
        KEY("NODE_ID", KIND_STRING, node_id),
        KEY("NODE_NAME", KIND_STRING, node_name),
        KEY("GROUP", KIND_STRING, group),
        KEY("CLUSTER_ID", KIND_CLUSTER_ID, cluster_id),
        KEY("PORT_GCS", KIND_PORT, ports.gcs),
        KEY("PORT_NODE_MANAGER", KIND_PORT, ports.node_manager),
        KEY("PORT_OBJECT_MANAGER", KIND_PORT, ports.object_manager),
        KEY("PORT_RUNTIME_ENV_AGENT", KIND_PORT, ports.runtime_env_agent),
        KEY("PORT_DASHBOARD_AGENT_GRPC", KIND_PORT, ports.dashboard_agent_grpc),
        KEY("PORT_METRICS_EXPORT", KIND_PORT, ports.metrics_export),
        KEY("PORT_DASHBOARD_AGENT", KIND_PORT, ports.dashboard_agent),
        KEY("PORT_DASHBOARD_METRICS", KIND_PORT, ports.dashboard_metrics),
        KEY("PORT_AUTOSCALER_METRICS", KIND_PORT, ports.autoscaler_metrics),
        KEY("PORT_CONTROL", KIND_PORT, ports.control),
        KEY("PORT_DASHBOARD", KIND_PORT, ports.dashboard),
        KEY("PORT_CLIENT", KIND_PORT, ports.client),
        KEY("WORKER_PORTS", KIND_PORT_RANGE, ports.worker_first),
        KEY("DASHBOARD_BIND", KIND_STRING, dashboard_bind),
        KEY("TEMP_DIR", KIND_PATH, engine.temp_dir),
        KEY("GCS_STORE", KIND_STORE, engine.gcs_store),
        KEY("DRAIN_USEC", KIND_USEC, engine.drain),
        KEY("ENV", KIND_ENV, engine.env),
        KEY("START_ARG", KIND_ARG, engine.start_args),
        KEY("CPUS", KIND_COUNT, resources.cpus),
        KEY("GPUS", KIND_COUNT, resources.gpus),
        KEY("MEMORY", KIND_SIZE, resources.memory),
        KEY("OBJECT_STORE_MEMORY", KIND_SIZE, resources.object_store_memory),
        KEY("RESOURCE", KIND_RESOURCE, resources.custom),
        KEY("LABEL", KIND_LABEL, resources.labels),
        KEY("TOKEN_PATH", KIND_PATH_EMPTY, token_path),
        KEY("TLS_DIR", KIND_PATH_MAYBE, tls_dir),
        KEY("TLS_SERIAL", KIND_SERIAL, tls_serial),
        KEY("TLS_UNTIL", KIND_SIZE, tls_until),
        KEY("LOG_RAY", KIND_LOG_RAY, log_ray),
        KEY("LOG_LEVEL", KIND_LEVEL, log_level),
};

static_assert(ELEMENTSOF(keys) <= 64, "seen keys are kept in 64 bits");
static_assert(offsetof(PortPlan, worker_last) ==
                      offsetof(PortPlan, worker_first) + sizeof(uint16_t),
              "WORKER_PORTS reads two neighbours");

#define FIRST_LINE "RAYCLUSTER_ENGINE_ARGS=1"

static bool kind_is_list(Kind k)
{
        return k == KIND_ENV || k == KIND_ARG || k == KIND_RESOURCE || k == KIND_LABEL;
}

/* What a person is told when a value does not fit. */
static const char *kind_wants(Kind k)
{
        switch (k) {
        case KIND_ROLE:
                return "a role is head or worker";
        case KIND_PATH:
        case KIND_PATH_MAYBE:
                return "a path begins with /";
        case KIND_PATH_EMPTY:
                return "a path begins with /, or there is none";
        case KIND_STORE:
                return "a store is rocksdb or memory";
        case KIND_LOG_RAY:
                return "one of journal, files, stderr";
        case KIND_CLUSTER_ID:
                return "a cluster id is 56 hex digits, or there is none";
        case KIND_SERIAL:
                return "a serial number is hex digits";
        case KIND_ADDR:
                return "an address is a literal such as 10.0.0.1 or fd00::1";
        case KIND_ADDR_PORT:
                return "an address with port is 10.0.0.1:6379 or [fd00::1]:6379";
        case KIND_PORT:
                return "a port is 1 to 65535";
        case KIND_PORT_RANGE:
                return "a range of ports is FIRST-LAST, 1 to 65535";
        case KIND_USEC:
        case KIND_COUNT:
        case KIND_SIZE:
                return "a whole number";
        case KIND_LEVEL:
                return "one of error, warning, notice, info, debug";
        case KIND_ENV:
                return "a variable is NAME=value";
        case KIND_ARG:
                return "an argument begins with --";
        case KIND_RESOURCE:
                return "a resource is name=number";
        case KIND_LABEL:
                return "a label is key=value";
        case KIND_STRING:
                break;
        }
        return "not a value";
}

EngineArgs *engine_args_free(EngineArgs *a)
{
        if (!a)
                return NULL;
        free(a->venv);
        free(a->node_id);
        free(a->node_name);
        free(a->group);
        free(a->cluster_id);
        free(a->dashboard_bind);
        free(a->engine.version);
        free(a->engine.venv);
        free(a->engine.temp_dir);
        free(a->engine.gcs_store);
        strv_free(a->engine.env);
        strv_free(a->engine.start_args);
        strv_free(a->resources.custom);
        strv_free(a->resources.labels);
        free(a->token_path);
        free(a->tls_dir);
        free(a->tls_serial);
        free(a->log_ray);
        free(a);
        return NULL;
}

/* --- values in ------------------------------------------------------------------------------- */

static bool name_is_env(const char *s, size_t n)
{
        if (n == 0 || isdigit((unsigned char)s[0]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char)s[i]) && s[i] != '_')
                        return false;
        return true;
}

static bool is_number(const char *s)
{
        char *end = NULL;

        if (!isdigit((unsigned char)*s))
                return false;
        (void)strtod(s, &end);
        return end && *end == 0;
}

static bool list_value_ok(Kind k, const char *s)
{
        const char *eq = strchr(s, '=');

        switch (k) {
        case KIND_ENV:
                return eq && name_is_env(s, (size_t)(eq - s));
        case KIND_ARG:
                return startswith(s, "--") && s[2] && s[2] != '=';
        case KIND_RESOURCE:
                return eq && eq != s && is_number(eq + 1);
        case KIND_LABEL:
                return eq && eq != s;
        default:
                return false;
        }
}

static bool string_value_ok(Kind k, const char *s)
{
        RayId id;

        switch (k) {
        case KIND_PATH:
        case KIND_PATH_MAYBE:
                return *s == '/';
        case KIND_SERIAL:
                return *s && s[strspn(s, "0123456789abcdef")] == 0;
        case KIND_PATH_EMPTY:
                return !*s || *s == '/';
        case KIND_STORE:
                return streq(s, "rocksdb") || streq(s, "memory");
        case KIND_LOG_RAY:
                return streq(s, "journal") || streq(s, "files") || streq(s, "stderr");
        case KIND_CLUSTER_ID:
                return !*s || ray_id_parse(s, &id) >= 0;
        case KIND_STRING:
                return true;
        default:
                return false;
        }
}

/* The kinds that are neither strings nor lists. -EINVAL, -ERANGE. */
static int scalar_parse(Kind k, const char *s, void *at)
{
        uint64_t n = 0;
        int r = 0;

        switch (k) {
        case KIND_ROLE:
                r = (int)role_from_string(s);
                if (r >= 0)
                        *(Role *)at = (Role)r;
                return MIN(r, 0);
        case KIND_ADDR:
                return addr_parse(s, at);
        case KIND_ADDR_PORT:
                return addr_parse_port(s, at);
        case KIND_PORT:
                return parse_port(s, at);
        case KIND_PORT_RANGE:
                return parse_port_range(s, at, (uint16_t *)at + 1);
        case KIND_USEC:
        case KIND_SIZE:
                return parse_u64(s, at);
        case KIND_COUNT:
                r = parse_u64(s, &n);
                if (r >= 0 && n > INT64_MAX)
                        return -ERANGE;
                if (r >= 0)
                        *(int64_t *)at = (int64_t)n;
                return r;
        case KIND_LEVEL:
                r = log_level_from_string(s);
                if (r >= 0)
                        *(int *)at = r;
                return MIN(r, 0);
        default:
                return -EINVAL;
        }
}

/* -EINVAL and the like: does not fit; -E2BIG: the list is full; -ENOMEM. */
static int value_parse(const Key *key, const char *s, EngineArgs *a)
{
        void *at = (char *)a + key->offset;

        if (kind_is_list(key->kind)) {
                if (strv_length(*(char ***)at) >= ENGINE_ARGS_LIST_MAX)
                        return -E2BIG;
                return list_value_ok(key->kind, s) ? strv_extend(at, s) : -EINVAL;
        }
        if (key->kind >= KIND_STRING && key->kind <= KIND_CLUSTER_ID) {
                if (!string_value_ok(key->kind, s))
                        return -EINVAL;
                return MIN(free_and_strdup(at, s), 0);
        }
        return scalar_parse(key->kind, s, at);
}

/* --- lines in -------------------------------------------------------------------------------- */

static int bad(char **reterr_text, char *text)
{
        if (!text)
                return -ENOMEM;
        *reterr_text = text;
        return -EBADMSG;
}

/* A copy of the value with \n and \\ resolved; *ret is NULL for any other escape. */
static int unescape(const char *s, size_t n, char **ret)
{
        _cleanup_free_ char *out = calloc(1, n + 1);
        size_t k = 0;

        if (!out)
                return -ENOMEM;
        *ret = NULL;
        for (size_t i = 0; i < n; i++) {
                if (s[i] != '\\') {
                        out[k++] = s[i];
                        continue;
                }
                if (++i == n || (s[i] != 'n' && s[i] != '\\'))
                        return 0;
                out[k++] = s[i] == 'n' ? '\n' : '\\';
        }
        out[k] = 0;
        *ret = TAKE_PTR(out);
        return 0;
}

static ssize_t key_find(const char *s, size_t n)
{
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strlen(keys[i].name) == n && memcmp(keys[i].name, s, n) == 0)
                        return (ssize_t)i;
        return -ENOENT;
}

static int bad_value(const Key *key, const char *s, unsigned no, char **reterr_text)
{
        _cleanup_free_ char *shown = str_escape(s, strlen(s), 80);

        if (!shown)
                return -ENOMEM;
        return bad(reterr_text,
                   str_printf("line %u: %s=%s: %s", no, key->name, shown, kind_wants(key->kind)));
}

static int line_parse(EngineArgs *a, uint64_t *seen, const char *s, size_t n, unsigned no,
                      char **reterr_text)
{
        _cleanup_free_ char *value = NULL, *shown = NULL;
        const char *eq = memchr(s, '=', n);
        ssize_t i = eq ? key_find(s, (size_t)(eq - s)) : -ENOENT;

        if (i < 0) {
                shown = str_escape(s, eq ? (size_t)(eq - s) : n, 60);
                if (!shown)
                        return -ENOMEM;
                return bad(reterr_text, str_printf(eq ? "line %u: %s: no such key"
                                                      : "line %u: \"%s\": a line is KEY=VALUE",
                                                   no, shown));
        }
        const Key *key = &keys[i];
        if ((*seen & (UINT64_C(1) << i)) && !kind_is_list(key->kind))
                return bad(reterr_text, str_printf("line %u: %s: twice", no, key->name));
        *seen |= UINT64_C(1) << i;
        int r = unescape(eq + 1, n - (size_t)(eq + 1 - s), &value);
        if (r < 0)
                return r;
        if (!value)
                return bad(reterr_text,
                           str_printf("line %u: %s: after a backslash comes n or a backslash", no,
                                      key->name));
        r = value_parse(key, value, a);
        if (r == -E2BIG)
                return bad(reterr_text, str_printf("line %u: %s: more than %d of them", no,
                                                   key->name, ENGINE_ARGS_LIST_MAX));
        if (r == -ENOMEM || r >= 0)
                return r;
        return bad_value(key, value, no, reterr_text);
}

static bool kind_is_optional(Kind k)
{
        return kind_is_list(k) || k == KIND_COUNT || k == KIND_SIZE || k == KIND_PATH_MAYBE ||
               k == KIND_SERIAL;
}

static int check_missing(uint64_t seen, char **reterr_text)
{
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (!(seen & (UINT64_C(1) << i)) && !kind_is_optional(keys[i].kind))
                        return bad(reterr_text, str_printf("%s is missing", keys[i].name));
        return 0;
}

int engine_args_parse(const char *data, size_t size, EngineArgs **ret, char **reterr_text)
{
        _cleanup_(engine_args_freep) EngineArgs *a = NULL;
        const char *p = data, *end = data + size;
        uint64_t seen = 0;
        unsigned no = 0;
        int r;

        if (size > ENGINE_ARGS_MAX)
                return bad(reterr_text,
                           str_printf("%zu bytes: at most %zu", size, ENGINE_ARGS_MAX));
        if (memchr(data, 0, size))
                return bad(reterr_text, str_printf("a NUL byte is in it"));
        a = new0(EngineArgs, 1);
        if (!a)
                return -ENOMEM;
        a->resources.cpus = a->resources.gpus = -1;
        while (p < end) {
                const char *nl = memchr(p, '\n', (size_t)(end - p));
                no++;
                if (!nl)
                        return bad(reterr_text, str_printf("line %u: cut off in the middle", no));
                size_t n = (size_t)(nl - p);
                if (no == 1 && (n != strlen(FIRST_LINE) || memcmp(p, FIRST_LINE, n) != 0))
                        break;
                r = no == 1 ? 0 : line_parse(a, &seen, p, n, no, reterr_text);
                if (r < 0)
                        return r;
                p = nl + 1;
        }
        if (size == 0 || p == data)
                return bad(reterr_text, str_printf("line 1: not " FIRST_LINE));
        r = check_missing(seen, reterr_text);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

/* --- out ------------------------------------------------------------------------------------- */

static int put(Buf *b, const char *s)
{
        return buf_append(b, s, strlen(s));
}

static int put_escaped(Buf *b, const char *s)
{
        int r = 0;

        for (; *s && r >= 0; s++)
                r = *s == '\n' ? put(b, "\\n") : *s == '\\' ? put(b, "\\\\") : buf_append(b, s, 1);
        return r;
}

static int put_line(Buf *b, const char *name, const char *value)
{
        int r = put(b, name);

        if (r >= 0)
                r = put(b, "=");
        if (r >= 0)
                r = put_escaped(b, strempty(value));
        return r >= 0 ? put(b, "\n") : r;
}

/* The text of a value that is neither string nor list; "" = left out. */
static void scalar_format(Kind k, const void *at, char *buf, size_t size)
{
        char addr[ADDR_PORT_MAX];

        *buf = 0;
        if (k == KIND_ROLE)
                (void)snprintf(buf, size, "%s", strempty(role_to_string(*(const Role *)at)));
        else if (k == KIND_ADDR)
                (void)snprintf(buf, size, "%s", addr_format(addr, at));
        else if (k == KIND_ADDR_PORT)
                (void)snprintf(buf, size, "%s", addr_format_port(addr, at));
        else if (k == KIND_PORT)
                (void)snprintf(buf, size, "%u", *(const uint16_t *)at);
        else if (k == KIND_PORT_RANGE)
                (void)snprintf(buf, size, "%u-%u", *(const uint16_t *)at,
                               *((const uint16_t *)at + 1));
        else if (k == KIND_USEC)
                (void)snprintf(buf, size, "%" PRIu64, *(const uint64_t *)at);
        else if (k == KIND_COUNT && *(const int64_t *)at >= 0)
                (void)snprintf(buf, size, "%" PRIi64, *(const int64_t *)at);
        else if (k == KIND_SIZE && *(const uint64_t *)at > 0)
                (void)snprintf(buf, size, "%" PRIu64, *(const uint64_t *)at);
        else if (k == KIND_LEVEL)
                (void)snprintf(buf, size, "%s", strempty(log_level_to_string(*(const int *)at)));
}

static int put_key(Buf *b, const Key *key, const EngineArgs *a)
{
        const void *at = (const char *)a + key->offset;
        char buf[ADDR_PORT_MAX + 32];
        int r = 0;

        if (kind_is_list(key->kind)) {
                STRV_FOREACH (s, *(char *const *const *)at) {
                        r = put_line(b, key->name, *s);
                        if (r < 0)
                                return r;
                }
                return r;
        }
        if (key->kind >= KIND_STRING && key->kind <= KIND_CLUSTER_ID) {
                const char *s = *(const char *const *)at;
                return isempty(s) && kind_is_optional(key->kind) ? 0 : put_line(b, key->name, s);
        }
        scalar_format(key->kind, at, buf, sizeof(buf));
        return *buf ? put_line(b, key->name, buf) : 0;
}

int engine_args_format(const EngineArgs *a, char **ret)
{
        _cleanup_buf_ Buf b = {};
        int r = put(&b, FIRST_LINE "\n");

        for (size_t i = 0; i < ELEMENTSOF(keys) && r >= 0; i++)
                r = put_key(&b, &keys[i], a);
        if (r < 0)
                return r;
        if (buf_size(&b) > ENGINE_ARGS_MAX)
                return -EMSGSIZE;
        char *text = strndup((const char *)buf_data(&b), buf_size(&b));
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}
