#include "supervisor/command.h"

#include <inttypes.h>
#include <stdio.h>

static int add_ports(char ***argv, const PortPlan *p)
{
        const struct {
                const char *flag;
                uint16_t port;
        } ports[] = {
                {"node-manager-port", p->node_manager},
                {"object-manager-port", p->object_manager},
                {"runtime-env-agent-port", p->runtime_env_agent},
                {"dashboard-agent-grpc-port", p->dashboard_agent_grpc},
                {"dashboard-agent-listen-port", p->dashboard_agent},
                {"metrics-export-port", p->metrics_export},
                {"min-worker-port", p->worker_first},
                {"max-worker-port", p->worker_last},
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(ports) && r >= 0; i++)
                r = strv_extendf(argv, "--%s=%u", ports[i].flag, ports[i].port);
        return r;
}

static int add_role(char ***argv, const EngineArgs *a)
{
        char addr[ADDR_PORT_MAX];

        if (a->role == ROLE_WORKER)
                return strv_extendf(argv, "--address=%s", addr_format_port(addr, &a->head_address));
        int r = strv_extend(argv, "--head");
        if (r >= 0)
                r = strv_extendf(argv, "--port=%u", a->ports.gcs);
        if (r >= 0)
                r = strv_extendf(argv, "--dashboard-host=%s", a->dashboard_bind);
        if (r >= 0)
                r = strv_extendf(argv, "--dashboard-port=%u", a->ports.dashboard);
        if (r >= 0)
                r = strv_extendf(argv, "--ray-client-server-port=%u", a->ports.client);
        /* one process less that takes the whole head with it when it dies (ray-facts 4) */
        if (r >= 0)
                r = strv_extend(argv, "--no-monitor");
        return r;
}

/* A JSON string: names come from the configuration and may hold anything. */
static char *json_string(const char *s, size_t n)
{
        char *out = malloc(n * 6 + 3), *p = out;

        if (!out)
                return NULL;
        *p++ = '"';
        for (size_t i = 0; i < n; i++) {
                if (s[i] == '"' || s[i] == '\\') {
                        *p++ = '\\';
                        *p++ = s[i];
                } else if ((unsigned char)s[i] < 0x20)
                        p += sprintf(p, "\\u%04x", (unsigned)s[i]);
                else
                        *p++ = s[i];
        }
        *p++ = '"';
        *p = 0;
        return out;
}

/* "fast=1", "big=2.5" -> {"fast": 1, "big": 2.5} */
static char *resources_json(char *const *custom)
{
        _cleanup_strv_free_ char **l = NULL;

        STRV_FOREACH (s, custom) {
                const char *eq = strchr(*s, '=');
                if (!eq)
                        continue;
                _cleanup_free_ char *name = json_string(*s, (size_t)(eq - *s));
                if (!name || strv_extendf(&l, "%s: %s", name, eq + 1) < 0)
                        return NULL;
        }
        _cleanup_free_ char *inner = strv_join(l, ", ");
        return inner ? str_printf("{%s}", inner) : NULL;
}

static int add_resources(char ***argv, const ResourceSettings *res)
{
        int r = 0;

        if (res->cpus >= 0)
                r = strv_extendf(argv, "--num-cpus=%" PRIi64, res->cpus);
        if (r >= 0 && res->gpus >= 0)
                r = strv_extendf(argv, "--num-gpus=%" PRIi64, res->gpus);
        if (r >= 0 && res->memory > 0)
                r = strv_extendf(argv, "--memory=%" PRIu64, res->memory);
        if (r >= 0 && res->object_store_memory > 0)
                r = strv_extendf(argv, "--object-store-memory=%" PRIu64, res->object_store_memory);
        if (r >= 0 && res->custom) {
                _cleanup_free_ char *json = resources_json(res->custom);
                r = json ? strv_extendf(argv, "--resources=%s", json) : -ENOMEM;
        }
        if (r >= 0 && res->labels) {
                _cleanup_free_ char *labels = strv_join(res->labels, ",");
                r = labels ? strv_extendf(argv, "--labels=%s", labels) : -ENOMEM;
        }
        return r;
}

int command_build(const EngineArgs *a, char ***ret)
{
        _cleanup_strv_free_ char **argv = NULL;
        char addr[ADDR_MAX];

        int r = strv_extendf(&argv, "%s/bin/ray", a->venv);
        if (r >= 0)
                r = strv_extend(&argv, "start");
        if (r >= 0)
                r = strv_extend(&argv, "--block");
        if (r >= 0)
                r = strv_extend(&argv, "--disable-usage-stats");
        if (r >= 0) /* one line a message, with its level */
                r = strv_extend(&argv, "--log-style=record");
        if (r >= 0)
                r = strv_extend(&argv, "--log-color=false");
        if (r >= 0)
                r = add_role(&argv, a);
        if (r >= 0)
                r = strv_extendf(&argv, "--node-ip-address=%s",
                                 addr_format(addr, &a->node_address));
        if (r >= 0 && !isempty(a->node_name))
                r = strv_extendf(&argv, "--node-name=%s", a->node_name);
        if (r >= 0)
                r = strv_extendf(&argv, "--temp-dir=%s", a->engine.temp_dir);
        if (r >= 0)
                r = add_ports(&argv, &a->ports);
        if (r >= 0)
                r = add_resources(&argv, &a->resources);
        for (char **s = a->engine.start_args; s && *s && r >= 0; s++)
                r = strv_extend(&argv, *s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(argv);
        return 0;
}
