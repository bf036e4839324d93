#include "role/status.h"

static const char *const status_prop_table[_STATUS_PROP_MAX] = {
        [STATUS_STATE] = "State",
        [STATUS_REASON] = "Reason",
        [STATUS_CLUSTER] = "Cluster",
        [STATUS_CLUSTER_ID] = "ClusterId",
        [STATUS_NODE_ID] = "NodeId",
        [STATUS_NODE_NAME] = "NodeName",
        [STATUS_ADDRESS] = "Address",
        [STATUS_HEAD_ADDRESS] = "HeadAddress",
        [STATUS_DASHBOARD_URL] = "DashboardUrl",
        [STATUS_RAY_VERSION] = "RayVersion",
        [STATUS_PYTHON_VERSION] = "PythonVersion",
        [STATUS_ENGINE_PATH] = "EnginePath",
        [STATUS_ENGINE_STATE] = "EngineState",
        [STATUS_ENGINE_STATUS] = "EngineStatus",
        [STATUS_AUTH] = "Auth",
        [STATUS_MEMBERSHIP] = "Membership",
        [STATUS_PUBLISHED] = "Published",
        [STATUS_HEAD] = "Head",
        [STATUS_HEAD_SOURCE] = "HeadSource",
        [STATUS_VERDICT] = "Verdict",
        [STATUS_REMEDY] = "Remedy",
        [STATUS_STATE_SINCE] = "StateSince",
        [STATUS_ENGINE_REPAIRS] = "EngineRepairs",
        [STATUS_RESTART_DUE] = "RestartDue",
        [STATUS_WORKERS_ALIVE] = "WorkersAlive",
        [STATUS_SOURCES] = "Sources",
        [STATUS_HEAD_SETTINGS] = "HeadSettings",
};
DEFINE_STRTAB(status_prop, StatusProp);

static int mark(Status *s, StatusProp prop)
{
        s->dirty |= UINT32_C(1) << prop;
        return 1;
}

int status_init(Status *s)
{
        *s = (Status){.state_since = now_real()};
        for (size_t i = 0; i < _STATUS_TEXT_MAX; i++) {
                s->text[i] = strdup("");
                if (!s->text[i]) {
                        status_done(s);
                        return -ENOMEM;
                }
        }
        return 0;
}

void status_done(Status *s)
{
        for (size_t i = 0; i < _STATUS_TEXT_MAX; i++)
                free(s->text[i]);
        for (size_t i = 0; i < ELEMENTSOF(s->sources); i++) {
                free(s->sources[i].source);
                free(s->sources[i].state);
                free(s->sources[i].text);
        }
        strv_free(s->restart_due);
        free(s->head_settings);
        *s = (Status){};
}

static int set_text(char **p, const char *value)
{
        value = strempty(value);
        if (strlen(value) <= STATUS_TEXT_MAX && utf8_is_printable(value))
                return free_and_strdup(p, value);
        _cleanup_free_ char *safe = str_escape(value, strlen(value), STATUS_TEXT_MAX);
        return safe ? free_and_strdup(p, safe) : -ENOMEM;
}

int status_set(Status *s, StatusProp prop, const char *value)
{
        assert(prop >= 0 && prop < _STATUS_TEXT_MAX);
        int r = set_text(&s->text[prop], value);
        return r > 0 ? mark(s, prop) : r;
}

int status_set_count(Status *s, StatusProp prop, unsigned value)
{
        unsigned *p = prop == STATUS_ENGINE_REPAIRS ? &s->engine_repairs : &s->workers_alive;
        assert(prop == STATUS_ENGINE_REPAIRS || prop == STATUS_WORKERS_ALIVE);
        if (*p == value)
                return 0;
        *p = value;
        return mark(s, prop);
}

int status_set_restart_due(Status *s, char **keys)
{
        if (strv_equal(s->restart_due, keys)) {
                strv_free(keys);
                return 0;
        }
        strv_free(s->restart_due);
        s->restart_due = keys;
        return mark(s, STATUS_RESTART_DUE);
}

int status_set_source(Status *s, size_t i, const char *source, const char *state, const char *text)
{
        assert(i < ELEMENTSOF(s->sources));
        StatusSource *e = &s->sources[i];
        int a = set_text(&e->source, source);
        int b = set_text(&e->state, state);
        int c = set_text(&e->text, text);
        if (a < 0 || b < 0 || c < 0)
                return -ENOMEM;
        return a + b + c > 0 ? mark(s, STATUS_SOURCES) : 0;
}

void status_set_n_sources(Status *s, size_t n)
{
        assert(n <= ELEMENTSOF(s->sources));
        if (s->n_sources == n)
                return;
        s->n_sources = n;
        mark(s, STATUS_SOURCES);
}

int status_set_head_settings(Status *s, const char *text)
{
        int r = free_and_strdup(&s->head_settings, text);
        return r > 0 ? mark(s, STATUS_HEAD_SETTINGS) : r;
}

int status_set_state(Status *s, const char *state, const char *reason)
{
        int r = status_set(s, STATUS_STATE, state);
        if (r > 0) {
                s->state_since = now_real();
                mark(s, STATUS_STATE_SINCE);
        }
        int q = status_set(s, STATUS_REASON, reason);
        return r < 0 ? r : q < 0 ? q : r | q;
}

char *status_line(const Status *s)
{
        const char *remedy = s->text[STATUS_REMEDY];

        return isempty(remedy) ? strdup(s->text[STATUS_REASON])
                               : str_printf("%s. Try: %s", s->text[STATUS_REASON], remedy);
}

uint32_t status_take_dirty(Status *s)
{
        uint32_t dirty = s->dirty;
        s->dirty = 0;
        return dirty;
}
