#include <stdio.h>

#include "base/strv.h"
#include "cli/nodes.h"
#include "cli/out.h"
#include "cli/snapshot.h"

typedef struct Paint {
        const char *good, *bad, *warn, *bold, *off;
} Paint;

static const Paint plain = {"", "", "", "", ""};
static const Paint colours = {"\033[32m", "\033[1;31m", "\033[33m", "\033[1m", "\033[0m"};

/* Words of daemons and of Ray, and through them of strangers. */
static char *clean(const char *s)
{
        return str_escape(s, strlen(s), 1000);
}

static const char *dot_colour(const Paint *p, const View *v)
{
        if (streq(v->state, "serving") || streq(v->state, "joined"))
                return p->good;
        return streq(v->state, "blocked") || streq(v->state, "failed") ? p->bad : p->warn;
}

static void print_state(const Paint *p, const View *v)
{
        char since[OUT_SINCE_MAX];
        _cleanup_free_ char *reason = clean(v->reason), *remedy = clean(v->remedy);

        printf("%s●%s %s%s%s, %s of cluster \"%s\"\n", dot_colour(p, v), p->off, p->bold,
               *v->node_name ? v->node_name : "this machine", p->off, role_to_string(v->role),
               v->cluster);
        if (v->state_since > 0)
                out_line("State", "%s%s%s since %s", dot_colour(p, v), v->state, p->off,
                         out_since(since, v->state_since));
        else
                out_line("State", "%s%s%s", dot_colour(p, v), v->state, p->off);
        if (!isempty(reason))
                out_line("", "%s", reason);
        if (!isempty(remedy))
                out_line("Try", "%s", remedy);
}

/* In these states of a worker its head is what is missing. */
static bool looks_for_head(const View *v)
{
        static const char *const states[] = {"starting", "looking", "checking", "lost-head"};

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (streq(states[i], v->state))
                        return true;
        return false;
}

static void print_sources(const View *v)
{
        for (size_t i = 0; i < v->n_sources; i++) {
                const ViewSource *s = &v->sources[i];
                _cleanup_free_ char *text = clean(s->text);
                out_line(i == 0 ? "Looked for" : "", "%-10s %-8s %s", s->source, s->state,
                         strempty(text));
        }
}

static void print_cluster(const Paint *p, const View *v)
{
        _cleanup_free_ char *status = clean(v->engine_status);

        if (v->role == ROLE_WORKER && *v->head)
                out_line("Head", "%s (%s, by %s)", v->head,
                         *v->head_address ? v->head_address : "address not known",
                         *v->head_source ? v->head_source : "?");
        else if (*v->head_address)
                out_line("GCS", "%s", v->head_address);
        if (*v->cluster_id)
                out_line("Cluster id", "%s", v->cluster_id);
        if (*v->dashboard_url)
                out_line("Dashboard", "%s", v->dashboard_url);
        if (*v->address)
                out_line("Own address", "%s", v->address);
        if (*v->ray_version)
                out_line("Ray", "%s%s%s", v->ray_version, *v->python_version ? ", Python " : "",
                         v->python_version);
        /* while it runs, its words are what stands above already */
        const char *more = streq(v->engine_state, "running") ? "" : strempty(status);
        if (*v->engine_state)
                out_line("Engine", "%s%s%s%s%s", v->engine_state, *v->engine_path ? ", " : "",
                         v->engine_path, *more ? ": " : "", more);
        if (v->engine_repairs > 0)
                out_line("", "%s%u restart%s by the daemon since it started%s", p->warn,
                         v->engine_repairs, v->engine_repairs == 1 ? "" : "s", p->off);
        if (streq(v->auth, "token"))
                out_line("Access", "by token");
        _cleanup_free_ char *membership = clean(v->membership);
        if (!isempty(membership))
                out_line(v->role == ROLE_HEAD ? "Members" : "Member", "%s", membership);
        if (*v->published)
                out_line("mDNS", "%s", v->published);
}

/* A worker that runs nothing is open to nobody. */
static bool is_open(const View *v)
{
        return streq(v->auth, "off") &&
               (v->role == ROLE_HEAD || !streq(v->engine_state, "stopped"));
}

static void print_warnings(const Paint *p, const View *v)
{
        if (is_open(v))
                printf("\n%sAUTHENTICATION IS OFF%s: whoever reaches the ports of this cluster can "
                       "run programs on it as user ray.\nThe head has a token unless auth.mode is "
                       "\"disabled\"; a worker gets it with: raycluster join\n",
                       p->bad, p->off);
        if (v->restart_due) {
                _cleanup_free_ char *keys = strv_join(v->restart_due, ", ");
                printf("\n%sRestart due%s: %s changed and take%s effect with: raycluster "
                       "restart-engine\n",
                       p->warn, p->off, strempty(keys), v->restart_due[1] ? "" : "s");
        }
}

static void print_nodes(const Snapshot *s, bool all, bool colour)
{
        char age[DURATION_MAX];
        size_t hidden = 0;

        if (s->nodes_text) {
                _cleanup_free_ char *text = clean(s->nodes_text);
                printf("\nNodes: not known: %s\n", strempty(text));
                return;
        }
        if (!s->nodes || s->age == USEC_INFINITY) {
                if (s->up)
                        printf("\nNodes: not known, the GCS was not heard yet.\n");
                return;
        }
        usec_t t = s->age > USEC_PER_SEC ? s->age - s->age % (USEC_PER_SEC / 10)
                                         : s->age - s->age % USEC_PER_MSEC;
        printf("\n%zu node%s alive, as of %s ago:\n", node_set_count_alive(s->nodes, false),
               node_set_count_alive(s->nodes, false) == 1 ? "" : "s", format_duration(age, t));
        if (s->nodes->n > 0)
                (void)nodes_print(s->nodes, all, colour, &hidden);
        if (hidden > 0)
                printf("%zu dead node%s of machines that are back not shown (--all shows them).\n",
                       hidden, hidden == 1 ? "" : "s");
}

static void print_down(const Paint *p, const Snapshot *s)
{
        printf("%s○%s %sNo daemon of raycluster answers%s%s%s\n", p->bad, p->off, p->bold,
               s->host ? " on " : "", strempty(s->host), p->off);
        out_line("Why", "%s", s->sentence);
        if (s->down.last)
                out_line("Last words", "%s", s->down.last);
        else if (s->down.known && s->down.code != 0)
                out_line("Last words", "journalctl -u %s", s->down.unit);
        if (s->gcs)
                out_line("GCS", "%s answers by itself%s%s", s->gcs,
                         s->gcs_ray && *s->gcs_ray ? ": Ray " : "", strempty(s->gcs_ray));
}

void snapshot_print(const Snapshot *s, bool all)
{
        bool colour = out_colour();
        const Paint *p = colour ? &colours : &plain;

        if (s->up) {
                print_state(p, &s->view);
                if (looks_for_head(&s->view))
                        print_sources(&s->view);
                print_cluster(p, &s->view);
                print_warnings(p, &s->view);
        } else
                print_down(p, s);
        print_nodes(s, all, colour);
}
