#include "role/show.h"

#include "base/log.h"

static void set(Status *s, StatusProp prop, const char *value)
{
        if (status_set(s, prop, value) < 0)
                (void)log_oom();
}

static void show_due(Status *s, char *const *due, const char *more)
{
        _cleanup_strv_free_ char **l = strv_copy(due);

        if ((!l && strv_length(due) > 0) || (more && strv_extend(&l, more) < 0)) {
                (void)log_oom();
                return;
        }
        if (strv_equal(l, s->restart_due))
                return;
        if (strv_length(l) > 0) {
                _cleanup_free_ char *list = strv_join(l, ", ");
                log_event(LOG_NOTICE, MSG_RESTART_DUE, NULL,
                          "restart due: %s changed and takes effect with raycluster restart-engine",
                          strna(list));
        }
        (void)status_set_restart_due(s, TAKE_PTR(l));
}

void show_engine(Status *s, const Keeper *k, const char *more)
{
        EngineState state = keeper_unit_state(k);
        bool runs = engine_state_is_up(state) || state == ENGINE_STOPPING;
        const EngineArgs *args = keeper_running(k);

        set(s, STATUS_ENGINE_PATH, runs && args ? args->venv : "");
        set(s, STATUS_ENGINE_STATE, engine_state_to_string(state));
        set(s, STATUS_ENGINE_STATUS, keeper_unit_status(k));
        (void)status_set_count(s, STATUS_ENGINE_REPAIRS, keeper_repairs(k));
        show_due(s, keeper_due(k), more);
}

void show_gcs(Status *s, const Addr *head, const WatchFacts *f)
{
        static const RayId none = {0};
        char addr[ADDR_PORT_MAX], id[RAY_ID_STR_MAX];
        bool known = f && !ray_id_equal(&f->cluster_id, &none);

        set(s, STATUS_HEAD_ADDRESS, head && addr_is_set(head) ? addr_format_port(addr, head) : "");
        set(s, STATUS_CLUSTER_ID, known ? ray_id_format(id, &f->cluster_id) : "");
        set(s, STATUS_RAY_VERSION, f ? f->versions.ray : "");
        set(s, STATUS_PYTHON_VERSION, f ? f->versions.python : "");
}

void show_auth(Status *s, bool token, bool loud)
{
        int r = status_set(s, STATUS_AUTH, token ? "token" : "off");
        if (r < 0)
                (void)log_oom();
        if (r > 0 && !token && loud)
                log_event(LOG_WARNING, MSG_AUTH_OFF, NULL,
                          "authentication of Ray is off: whoever reaches the ports of this machine "
                          "can run code on it as user ray; raycluster join gives a worker its "
                          "head's token, auth.mode = \"auto\" makes a head have one");
}

static char *dashboard_url(const EngineArgs *args)
{
        char text[ADDR_PORT_MAX];
        Addr a;

        if (addr_parse(args->dashboard_bind, &a) < 0)
                return NULL;
        if (addr_is_any(&a))
                a = args->node_address;
        a.port = args->ports.dashboard;
        return str_printf("http://%s", addr_format_port(text, &a));
}

void show_dashboard(Status *s, const EngineArgs *args)
{
        _cleanup_free_ char *url = args ? dashboard_url(args) : NULL;
        set(s, STATUS_DASHBOARD_URL, url);
}
