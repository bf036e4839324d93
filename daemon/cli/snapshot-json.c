/* The contract of `raycluster status --json`, schema 1: keys are added, never changed or taken
 * away, without a new number. */
#include "cli/nodes.h"
#include "cli/snapshot.h"

static int view_json(Json *o, const View *v)
{
        const struct {
                const char *key, *value;
        } texts[] = {
                {"version", v->version},
                {"role", role_to_string(v->role)},
                {"state", v->state},
                {"reason", v->reason},
                {"verdict", v->verdict},
                {"remedy", v->remedy},
                {"node_id", v->node_id},
                {"node_name", v->node_name},
                {"address", v->address},
                {"cluster", v->cluster},
                {"cluster_id", v->cluster_id},
                {"head", v->head},
                {"head_source", v->head_source},
                {"head_address", v->head_address},
                {"dashboard_url", v->dashboard_url},
                {"ray_version", v->ray_version},
                {"python_version", v->python_version},
                {"engine_path", v->engine_path},
                {"engine_state", v->engine_state},
                {"engine_status", v->engine_status},
                {"auth", v->auth},
                {"membership", v->membership},
                {"published", v->published},
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (json_set_str(o, texts[i].key, texts[i].value) < 0)
                        return -ENOMEM;
        if (json_set_int(o, "since_usec", (int64_t)v->state_since) < 0 ||
            json_set_int(o, "engine_repairs", v->engine_repairs) < 0 ||
            json_set_strv(o, "restart_due", v->restart_due) < 0)
                return -ENOMEM;
        Json *sources = json_array_new();
        int r = sources ? 0 : -ENOMEM;
        for (size_t i = 0; r >= 0 && i < v->n_sources; i++) {
                Json *s = json_object_new();
                if (s && (json_set_str(s, "source", v->sources[i].source) < 0 ||
                          json_set_str(s, "state", v->sources[i].state) < 0 ||
                          json_set_str(s, "text", v->sources[i].text) < 0))
                        r = -ENOMEM;
                if (json_push(sources, s) < 0)
                        r = -ENOMEM;
        }
        return json_set(o, "sources", sources) < 0 ? -ENOMEM : r;
}

static int down_json(Json *o, const Snapshot *s)
{
        const Down *d = &s->down;

        if (json_set_str(o, "reason", s->sentence) < 0 || json_set_bool(o, "hangs", s->hangs) < 0 ||
            json_set_str(o, "last_journal_line", d->last) < 0 ||
            json_set_str(o, "gcs", s->gcs) < 0 || json_set_str(o, "ray_version", s->gcs_ray) < 0)
                return -ENOMEM;
        if (!d->known)
                return 0;
        Json *u = json_object_new();
        if (!u || json_set_str(u, "name", d->unit) < 0 ||
            json_set_str(u, "load_state", d->load) < 0 ||
            json_set_str(u, "unit_file_state", d->file) < 0 ||
            json_set_str(u, "active_state", d->active) < 0 ||
            json_set_str(u, "sub_state", d->sub) < 0 || json_set_str(u, "result", d->result) < 0 ||
            json_set_int(u, "exec_main_code", d->code) < 0 ||
            json_set_int(u, "exec_main_status", d->status) < 0) {
                if (u)
                        json_free(u);
                return -ENOMEM;
        }
        return json_set(o, "unit", u);
}

static int nodes_part(Json *o, const Snapshot *s)
{
        if (!s->nodes || s->age == USEC_INFINITY)
                return json_set_str(o, "nodes", NULL) < 0 ||
                                       json_set_str(o, "age_usec", NULL) < 0 ||
                                       json_set_str(o, "nodes_error", s->nodes_text) < 0
                               ? -ENOMEM
                               : 0;
        if (json_set_int(o, "age_usec", (int64_t)s->age) < 0 ||
            json_set_int(o, "workers_alive", (int64_t)node_set_count_alive(s->nodes, true)) < 0)
                return -ENOMEM;
        return json_set(o, "nodes", nodes_json(s->nodes));
}

Json *snapshot_json(const Snapshot *s)
{
        _cleanup_json_ Json *o = json_object_new();

        if (!o || json_set_int(o, "schema", 1) < 0 ||
            json_set_str(o, "daemon", s->up ? "up" : "down") < 0 ||
            (s->up ? view_json(o, &s->view) : down_json(o, s)) < 0 || nodes_part(o, s) < 0)
                return NULL;
        return TAKE_PTR(o);
}
