#include "cli/nodes.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"

static const Resource *resource(const Node *n, const char *name)
{
        for (size_t i = 0; i < n->n_resources; i++)
                if (streq(n->resources[i].name, name))
                        return &n->resources[i];
        return NULL;
}

const char *node_word(const Node *n)
{
        const Resource *cpu = resource(n, "CPU");
        bool known = cpu && cpu->available >= 0;
        bool busy = known && cpu->available < cpu->total;

        if (n->state == NODE_DEAD)
                return "down";
        if (n->state == NODE_DRAINING)
                return busy || n->idle_ms < 0 ? "drng" : "drain";
        if (n->idle_ms > 0)
                return "idle";
        if (!known)
                return "up";
        /* all CPUs taken, but for the rounding of Ray's fixed-point numbers */
        if (busy)
                return cpu->available < 0.0001 ? "alloc" : "mix";
        return "idle";
}

/* --- the table ----------------------------------------------------------------------------------
 */

enum {
        COL_NODE,
        COL_STATE,
        COL_ROLE,
        COL_GROUP,
        COL_ADDRESS,
        COL_CPU,
        COL_GPU,
        COL_MEM,
        COL_STORE,
        COL_UP,
        COL_WHY,
        _COL_MAX
};

static const char *const titles[_COL_MAX] = {
        [COL_NODE] = "NODE",   [COL_STATE] = "STATE",     [COL_ROLE] = "ROLE",
        [COL_GROUP] = "GROUP", [COL_ADDRESS] = "ADDRESS", [COL_CPU] = "CPU",
        [COL_GPU] = "GPU",     [COL_MEM] = "MEMORY",      [COL_STORE] = "OBJECTS",
        [COL_UP] = "UP",       [COL_WHY] = "WHY",
};

typedef struct Columns {
        struct libscols_column *col[_COL_MAX]; /* NULL = left out */
} Columns;

/* "1/8": used of all; "-/8" when what is used is not known. */
static char *count_text(const Resource *r)
{
        if (!r)
                return strdup("-");
        if (r->available < 0)
                return str_printf("-/%.6g", r->total);
        return str_printf("%.6g/%.6g", r->total - r->available, r->total);
}

static char *size_text(const Resource *r)
{
        char used[SIZE_STR_MAX], total[SIZE_STR_MAX];

        if (!r || r->total < 0)
                return strdup("-");
        format_size(total, (uint64_t)r->total);
        if (r->available < 0 || r->available > r->total)
                return str_printf("-/%s", total);
        return str_printf("%s/%s", format_size(used, (uint64_t)(r->total - r->available)), total);
}

static char *up_text(const Node *n)
{
        char buf[DURATION_MAX];
        usec_t started = n->start_time_ms * USEC_PER_MSEC, now = now_real();

        if (n->state == NODE_DEAD || n->start_time_ms == 0 || started > now)
                return strdup("-");
        usec_t t = now - started;
        return strdup(format_duration(buf, t - t % USEC_PER_SEC));
}

/* Text of strangers never reaches the terminal as it is: smartcols writes control characters as
 * \x1b. Longer than this is not read by anyone. */
#define CELL_MAX 200

static char *clean(const char *s)
{
        return isempty(s) ? strdup("-") : strndup(s, CELL_MAX);
}

static char *cell(const Node *n, int col)
{
        switch (col) {
        case COL_NODE:
                return clean(isempty(n->hostname) ? n->address : n->hostname);
        case COL_STATE:
                return strdup(node_word(n));
        case COL_ROLE:
                return strdup(n->is_head ? "head" : "worker");
        case COL_GROUP:
                return clean(n->group);
        case COL_ADDRESS:
                return clean(n->address);
        case COL_CPU:
                return count_text(resource(n, "CPU"));
        case COL_GPU:
                return count_text(resource(n, "GPU"));
        case COL_MEM:
                return size_text(resource(n, "memory"));
        case COL_STORE:
                return size_text(resource(n, "object_store_memory"));
        case COL_UP:
                return up_text(n);
        default:
                return clean(n->death_reason);
        }
}

static bool needed(const NodeSet *s, int col)
{
        for (size_t i = 0; i < s->n; i++) {
                const Node *n = &s->nodes[i];
                if (col == COL_GPU && resource(n, "GPU"))
                        return true;
                if (col == COL_GROUP && !isempty(n->group))
                        return true;
                if (col == COL_WHY && n->state == NODE_DEAD)
                        return true;
        }
        return col != COL_GPU && col != COL_GROUP && col != COL_WHY;
}

static int add_row(struct libscols_table *t, const Columns *c, const Node *n, bool colour)
{
        struct libscols_line *line = scols_table_new_line(t, NULL);

        if (!line)
                return -ENOMEM;
        if (colour && n->state == NODE_DEAD)
                scols_line_set_color(line, "red");
        else if (colour && n->state == NODE_DRAINING)
                scols_line_set_color(line, "yellow");
        for (int i = 0; i < _COL_MAX; i++) {
                if (!c->col[i])
                        continue;
                char *text = cell(n, i);
                if (!text)
                        return -ENOMEM;
                int r = scols_line_refer_column_data(line, c->col[i], text);
                if (r < 0) {
                        free(text);
                        return r;
                }
        }
        return 0;
}

/* The same machine came back: its dead former self is history. */
static bool superseded(const NodeSet *s, const Node *dead)
{
        for (size_t i = 0; i < s->n; i++) {
                const Node *n = &s->nodes[i];
                if (n->state != NODE_DEAD && streq_ptr(n->hostname, dead->hostname) &&
                    streq_ptr(n->address, dead->address))
                        return true;
        }
        return false;
}

static void table_unrefp(struct libscols_table **t)
{
        scols_unref_table(*t);
}

int nodes_print(const NodeSet *s, bool all, bool colour, size_t *ret_hidden)
{
        _cleanup_(table_unrefp) struct libscols_table *t = scols_new_table();
        Columns c = {};

        if (!t)
                return -ENOMEM;
        *ret_hidden = 0;
        scols_table_enable_colors(t, colour);
        if (!isatty(STDOUT_FILENO))
                scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
        for (int i = 0; i < _COL_MAX; i++) {
                bool right = i == COL_CPU || i == COL_GPU || i == COL_MEM || i == COL_STORE;
                if (!needed(s, i))
                        continue;
                c.col[i] = scols_table_new_column(t, titles[i], 0, right ? SCOLS_FL_RIGHT : 0);
                if (!c.col[i])
                        return -ENOMEM;
        }
        for (size_t i = 0; i < s->n; i++) {
                const Node *n = &s->nodes[i];
                if (!all && n->state == NODE_DEAD && superseded(s, n)) {
                        ++*ret_hidden;
                        continue;
                }
                int r = add_row(t, &c, n, colour);
                if (r < 0)
                        return r;
        }
        return scols_print_table(t);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static int resources_json(Json *o, const Node *n)
{
        _cleanup_json_ Json *all = json_object_new();

        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < n->n_resources; i++) {
                const Resource *r = &n->resources[i];
                Json *one = json_object_new();
                if (!one)
                        return -ENOMEM;
                int k = json_set_real(one, "total", r->total);
                if (k >= 0)
                        k = r->available < 0 ? json_set_str(one, "available", NULL)
                                             : json_set_real(one, "available", r->available);
                int j = json_set(all, r->name, one);
                if (k < 0 || j < 0)
                        return -ENOMEM;
        }
        return json_set(o, "resources", TAKE_PTR(all));
}

static Json *node_json(const Node *n)
{
        _cleanup_json_ Json *o = json_object_new();
        char id[RAY_ID_STR_MAX];

        if (!o || json_set_str(o, "id", ray_id_format(id, &n->id)) < 0 ||
            json_set_str(o, "hostname", n->hostname) < 0 ||
            json_set_str(o, "address", n->address) < 0 ||
            json_set_str(o, "state", n->state < 0 ? NULL : node_state_to_string(n->state)) < 0 ||
            json_set_str(o, "slurm_state", node_word(n)) < 0 ||
            json_set_bool(o, "is_head", n->is_head) < 0 ||
            json_set_str(o, "group", strempty(n->group)) < 0 ||
            (n->idle_ms < 0 ? json_set_str(o, "idle_ms", NULL)
                            : json_set_int(o, "idle_ms", n->idle_ms)) < 0 ||
            json_set_int(o, "started_ms", (int64_t)n->start_time_ms) < 0 ||
            json_set_str(o, "why_dead", strempty(n->death_reason)) < 0 || resources_json(o, n) < 0)
                return NULL;
        return TAKE_PTR(o);
}

Json *nodes_json(const NodeSet *s)
{
        _cleanup_json_ Json *a = json_array_new();

        for (size_t i = 0; a && i < s->n; i++)
                if (json_push(a, node_json(&s->nodes[i])) < 0)
                        return NULL;
        return TAKE_PTR(a);
}
