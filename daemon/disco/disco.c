/* The sources in order, and what they come to together:
 *
 *   for each source of the order:  FOUND, one head    -> it is the best
 *                                  FOUND, two heads   -> ambiguous, nothing is joined
 *                                  ASKING             -> wait for it
 *                                  NOTHING, FAILED    -> the next one
 *
 * All sources of the order are asked at the start, so that waiting for one is not waiting for the
 * others; a source asked again keeps its earlier answer until the new one is there. With
 * cluster.head set, `static` is the only source. What callers see is a snapshot, replaced from a
 * defer source. */
#include "disco/disco.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "disco/source.h"
#include "sys/resolve.h"
#include "wire/last-known.h"

static_assert(DISCO_CANDIDATES_MAX == (size_t)_DISCO_SOURCE_MAX * SOURCE_CANDIDATES_MAX, "limit");

typedef struct Snapshot {
        Candidate *best;
        Candidate *all[DISCO_CANDIDATES_MAX];
        size_t n_all;
        char *ambiguous;
        SourceState states[_DISCO_SOURCE_MAX]; /* in order */
        char *texts[_DISCO_SOURCE_MAX];
} Snapshot;

struct Disco {
        DiscoSettings settings; /* strings owned */
        char *last_known_path;
        const DiscoOps *ops;
        void *userdata;
        Resolver *resolver;
        SourceContext context;
        DiscoSource order[_DISCO_SOURCE_MAX];
        Source *sources[_DISCO_SOURCE_MAX]; /* in order; NULL = not asked */
        size_t n_order;
        Snapshot now;
        sd_event_source *changed;
};

static const SourceVTable *const vtables[_DISCO_SOURCE_MAX] = {
        [DISCO_STATIC] = &source_static,
        [DISCO_DNS] = &source_dns,
        [DISCO_MDNS] = &source_mdns,
        [DISCO_LAST_KNOWN] = &source_last_known,
};

/* --- snapshot ----------------------------------------------------------------------------------
 */

static void snapshot_done(Snapshot *s)
{
        candidate_free(s->best);
        for (size_t i = 0; i < s->n_all; i++)
                candidate_free(s->all[i]);
        free(s->ambiguous);
        for (size_t i = 0; i < ELEMENTSOF(s->texts); i++)
                free(s->texts[i]);
        *s = (Snapshot){0};
}

static bool snapshot_equal(const Snapshot *a, const Snapshot *b, size_t n)
{
        if (!candidate_equal(a->best, b->best) || !streq_ptr(a->ambiguous, b->ambiguous) ||
            a->n_all != b->n_all)
                return false;
        for (size_t i = 0; i < a->n_all; i++)
                if (!candidate_equal(a->all[i], b->all[i]))
                        return false;
        for (size_t i = 0; i < n; i++)
                if (a->states[i] != b->states[i] || !streq_ptr(a->texts[i], b->texts[i]))
                        return false;
        return true;
}

static char *ambiguous_text(const Disco *d, const Source *s)
{
        _cleanup_strv_free_ char **heads = NULL;
        char buf[ADDR_MAX];
        int r = 0;

        for (size_t i = 0; i < s->n_found && r >= 0; i++) {
                const Candidate *c = s->found[i];
                r = strv_extendf(&heads, "%s (%s, %s)", c->name, addr_format(buf, &c->addrs[0]),
                                 c->how);
        }
        _cleanup_free_ char *list = r < 0 ? NULL : strv_join(heads, " and ");
        return list ? str_printf("%zu heads answer to cluster \"%s\": %s; " DISCO_AMBIGUOUS_REMEDY,
                                 s->n_found, d->settings.cluster, list)
                    : NULL;
}

static int take_all(const Disco *d, Snapshot *ret)
{
        for (size_t k = 0; k < SOURCE_CANDIDATES_MAX; k++)
                for (size_t i = 0; i < d->n_order; i++) {
                        const Source *s = d->sources[i];
                        if (!s || k >= s->n_found)
                                continue;
                        if (!(ret->all[ret->n_all] = candidate_copy(s->found[k])))
                                return -ENOMEM;
                        ret->n_all++;
                }
        return 0;
}

static int snapshot_take(const Disco *d, Snapshot *ret)
{
        bool decided = false;

        for (size_t i = 0; i < d->n_order; i++) {
                const Source *s = d->sources[i];
                ret->states[i] = s ? s->state : SOURCE_IDLE;
                ret->texts[i] = strdup(s ? strempty(s->text) : "not asked: cluster.head is set");
                if (!ret->texts[i])
                        return -ENOMEM;
                if (!s || decided)
                        continue;
                decided = s->state == SOURCE_ASKING || s->n_found > 0;
                if (s->n_found == 1 && !(ret->best = candidate_copy(s->found[0])))
                        return -ENOMEM;
                if (s->n_found > 1 && !(ret->ambiguous = ambiguous_text(d, s)))
                        return -ENOMEM;
        }
        return take_all(d, ret);
}

/* The only place that calls out: the Disco may be freed in it. */
static int on_changed(sd_event_source *source, void *userdata)
{
        Disco *d = userdata;
        Snapshot new = {0};

        if (snapshot_take(d, &new) < 0) {
                snapshot_done(&new);
                return 0; /* out of memory: the old view stands until the next change */
        }
        bool same = snapshot_equal(&d->now, &new, d->n_order);
        snapshot_done(same ? &new : &d->now);
        if (!same) {
                d->now = new;
                d->ops->on_change(d, d->userdata);
        }
        return 0;
}

static void on_source_change(void *userdata)
{
        Disco *d = userdata;
        (void)sd_event_source_set_enabled(d->changed, SD_EVENT_ONESHOT);
}

/* --- life --------------------------------------------------------------------------------------
 */

static int copy_settings(Disco *d, const DiscoSettings *s)
{
        d->settings = *s;
        d->settings.cluster = strdup(strempty(s->cluster));
        d->settings.head = strdup(strempty(s->head));
        d->settings.domain = strdup(strempty(s->domain));
        return d->settings.cluster && d->settings.head && d->settings.domain ? 0 : -ENOMEM;
}

static void copy_order(Disco *d)
{
        bool head = !isempty(d->settings.head), has_static = false;

        for (size_t i = 0; i < d->settings.n_order; i++)
                has_static |= d->settings.order[i] == DISCO_STATIC;
        if (head && !has_static)
                d->order[d->n_order++] = DISCO_STATIC;
        for (size_t i = 0; i < d->settings.n_order && d->n_order < ELEMENTSOF(d->order); i++)
                d->order[d->n_order++] = d->settings.order[i];
}

int disco_new(sd_event *event, Bus *bus, const DiscoSettings *settings, const char *last_known_path,
              const DiscoOps *ops, void *userdata, Disco **ret)
{
        _cleanup_(disco_freep) Disco *d = new0(Disco, 1);
        if (!d)
                return -ENOMEM;
        d->ops = ops;
        d->userdata = userdata;
        d->last_known_path = strdup(last_known_path);
        int r = d->last_known_path ? copy_settings(d, settings) : -ENOMEM;
        if (r >= 0)
                r = resolver_new(event, &d->resolver);
        if (r >= 0)
                r = sd_event_add_defer(event, &d->changed, on_changed, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->changed, SD_EVENT_OFF);
        if (r < 0)
                return r;
        copy_order(d);
        d->context = (SourceContext){
                .event = event,
                .resolver = d->resolver,
                .bus = bus,
                .settings = &d->settings,
                .last_known_path = d->last_known_path,
                .on_change = on_source_change,
                .userdata = d,
        };
        *ret = TAKE_PTR(d);
        return 0;
}

Disco *disco_free(Disco *d)
{
        if (!d)
                return NULL;
        for (size_t i = 0; i < d->n_order; i++)
                source_free(d->sources[i]);
        sd_event_source_disable_unref(d->changed);
        resolver_free(d->resolver);
        snapshot_done(&d->now);
        free(d->settings.cluster);
        free(d->settings.head);
        free(d->settings.domain);
        free(d->last_known_path);
        free(d);
        return NULL;
}

int disco_start(Disco *d)
{
        bool head = !isempty(d->settings.head);

        for (size_t i = 0; i < d->n_order; i++) {
                if (head && d->order[i] != DISCO_STATIC)
                        continue;
                int r = source_new(vtables[d->order[i]], &d->context, &d->sources[i]);
                if (r >= 0)
                        r = d->sources[i]->vtable->start(d->sources[i]);
                if (r < 0)
                        return r;
        }
        on_source_change(d);
        return 0;
}

void disco_refresh(Disco *d)
{
        for (size_t i = 0; i < d->n_order; i++)
                if (d->sources[i])
                        d->sources[i]->vtable->refresh(d->sources[i]);
}

int disco_remember(Disco *d, const Candidate *c)
{
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < d->n_order; i++)
                if (d->sources[i] && d->order[i] == c->source && d->sources[i]->vtable->served)
                        d->sources[i]->vtable->served(d->sources[i], c);
        int r = last_known_format(c, d->settings.cluster, &text);
        if (r < 0)
                return r;
        r = write_file_atomic(d->last_known_path, text, strlen(text), 0640, (gid_t)-1);
        if (r < 0)
                return r;
        for (size_t i = 0; i < d->n_order; i++)
                if (d->sources[i] && d->order[i] == DISCO_LAST_KNOWN)
                        d->sources[i]->vtable->refresh(d->sources[i]);
        return 0;
}

/* --- what is known -----------------------------------------------------------------------------
 */

const Candidate *disco_best(const Disco *d)
{
        return d->now.best;
}

const char *disco_ambiguous(const Disco *d)
{
        return d->now.ambiguous;
}

size_t disco_candidates(const Disco *d, const Candidate *ret[DISCO_CANDIDATES_MAX])
{
        for (size_t i = 0; i < d->now.n_all; i++)
                ret[i] = d->now.all[i];
        return d->now.n_all;
}

size_t disco_reports(const Disco *d, DiscoReport ret[_DISCO_SOURCE_MAX])
{
        for (size_t i = 0; i < d->n_order; i++)
                ret[i] = (DiscoReport){
                        .source = d->order[i],
                        .state = d->now.states[i],
                        .text = strempty(d->now.texts[i]),
                };
        return d->n_order;
}
