/*     closed ── members_configure() ──> open ── another policy ──> open
 *       ^  └── a pause ── again ──────────^
 *       └── the authority, the store or the port cannot be had
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "head/cert-life.h"
#include "head/members-private.h"
#include "head/reflections.h"
#include "model/key-words.h"
#include "role/address.h"
#include "role/token.h"
#include "sys/listen.h"

static void say(Members *m, char *text)
{
        if (!text || streq_ptr(text, m->text)) {
                free(text);
                return;
        }
        free(m->text);
        m->text = text;
        m->ops.on_change(m, m->userdata);
}

void members_count(Members *m)
{
        int r = m->gate ? roster_count(m->db, &m->n_roster) : 0;
        if (r < 0)
                log_debug_errno(r, "Counting the members: %m");
}

/* With the words of the authority, by which a person tells two heads of one name apart. */
void members_show(Members *m)
{
        _cleanup_free_ char *out =
                m->gate && m->ray_token ? token_marked(m->state_dir, m->ray_token) : NULL;
        _cleanup_free_ char *text = NULL;
        size_t here = m->gate ? gate_count(m->gate) : 0;
        uint8_t pin[PKI_PIN_SIZE];
        char words[KEY_WORDS_MAX];

        if (!m->gate)
                return;
        pki_cert_pin(authority_cert(m->authority), pin);
        (void)key_words(pin, words);
        text = m->n_roster == 0
                       ? str_printf("no members yet: raycluster token create makes a token for "
                                    "them; authority %s",
                                    words)
                       : str_printf("%zu of %zu member%s %s here; authority %s", here, m->n_roster,
                                    m->n_roster == 1 ? "" : "s", here == 1 ? "is" : "are", words);
        if (text && out)
                say(m, str_printf("%s; %s, which is out, knows Ray's token: raycluster ray-token "
                                  "--rotate makes another",
                                  text, out));
        else
                say(m, TAKE_PTR(text));
}

/* --- what the gate says -------------------------------------------------------------------------
 */

static void on_enrolled(Gate *g, const MemberRow *row, const Addr *from, void *userdata)
{
        Members *m = userdata;

        member_log_enrolled(row, from);
        members_count(m);
        members_show(m);
}

static void on_refused(Gate *g, const MemberRefused *r, const char *name, const Addr *from,
                       int error, usec_t locked, void *userdata)
{
        Members *m = userdata;
        member_log_refused(&m->log, r, name, from, error, locked);
}

static void on_member(Gate *g, const GateMember *who, void *userdata)
{
        Members *m = userdata;

        member_log_here(&m->log, who);
        members_show(m);
}

static void on_lost(Gate *g, const GateMember *who, GateLoss why, void *userdata)
{
        Members *m = userdata;

        reflections_forget(m->reflections, who->node);
        member_log_lost(&m->log, who, why);
        members_show(m);
}

static void on_left(Gate *g, const GateMember *who, void *userdata)
{
        Members *m = userdata;

        reflections_forget(m->reflections, who->node);
        member_log_left(who);
        /* nobody has its key any more: its name is free */
        int r = members_drop(m, who->node);
        if (r < 0)
                (void)log_warning_errno(r, "Failed to forget %s, which has left: %m", who->name);
        members_show(m);
}

static void on_pending(Gate *g, const GatePending *p, void *userdata)
{
        Members *m = userdata;
        char words[KEY_WORDS_MAX];

        member_log_pending(&m->log, p, gate_words(g, words));
}

static void on_event(Gate *g, const GateMember *who, const MemberEvent *e, unsigned dropped,
                     void *userdata)
{
        member_log_event(who, e, dropped);
}

static void on_reflect(Gate *g, const GateMember *who, MemberBytes request, void *userdata)
{
        Members *m = userdata;
        reflections_request(m->reflections, g, who, request);
}

static void on_copied(Gate *g, const GateMember *here, const GateMember *there, void *userdata)
{
        Members *m = userdata;
        member_log_copied(&m->log, here, there);
}

static void on_abused(Gate *g, GateAbuse what, const Addr *from, const char *name, void *userdata)
{
        Members *m = userdata;
        member_log_abused(&m->log, what, from, name);
}

/* --- opening ------------------------------------------------------------------------------------
 */

/* After the store: whether there may be a new one, the roster says. */
static int open_authority(Members *m, char **reterr)
{
        Addr addrs[PKI_ADDRS_MAX];
        size_t n_members;

        int n = address_own(&m->address, addrs, ELEMENTSOF(addrs), reterr);
        if (n < 0)
                return n;
        int r = roster_count(m->db, &n_members);
        if (r < 0) {
                *reterr = str_printf("members.db in the state directory: %s", strerror(-r));
                return r;
        }
        AuthorityPolicy p = {.dir = m->state_dir,
                             .node = m->node_id,
                             .name = m->name,
                             .addrs = addrs,
                             .n_addrs = (size_t)n,
                             .n_members = n_members,
                             .life = cert_life_of_tests()};

        r = authority_open(&p, now_real(), &m->authority, reterr);
        if (r >= 0 && authority_is_new(m->authority))
                log_notice("A new authority was made for this cluster: members will know its key, "
                           "and no other. A backup has it (raycluster backup).");
        return r;
}

static int open_store(Members *m, char **reterr)
{
        _cleanup_free_ char *path = path_join(m->state_dir, "members.db");

        int r = path ? store_open(path, &m->db) : -ENOMEM;
        if (r == -EBADMSG)
                *reterr = str_printf("%s is damaged: restore it from a backup (raycluster "
                                     "restore)",
                                     path);
        else if (r == -EUCLEAN)
                *reterr = str_printf("%s was made by a later raycluster: install that one", path);
        else if (r < 0)
                *reterr = str_printf("%s: %s", strna(path), strerror(-r));
        return r;
}

static int open_port(Members *m, int *ret_fd, char **reterr)
{
        int r = tcp_listen_inherited(m->port, ret_fd);

        if (r < 0)
                r = tcp_listen(m->port, GATE_BACKLOG, ret_fd);
        if (r < 0)
                *reterr = str_printf("port %u cannot be opened: %s%s", m->port, strerror(-r),
                                     r == -EADDRINUSE
                                             ? "; end what listens there (ss -ltnp), or choose "
                                               "another ports.control"
                                             : "");
        return r;
}

/* Before every opening, too: what is still to be tried again is not any more. */
static void close_all(Members *m)
{
        (void)sd_event_source_set_enabled(m->again, SD_EVENT_OFF);
        reflections_forget_all(m->reflections);
        m->gate = gate_free(m->gate);
        m->db = db_free(m->db);
        m->authority = authority_free(m->authority);
}

static int open_all(Members *m, char **reterr)
{
        static const GateOps ops = {.on_enrolled = on_enrolled,
                                    .on_refused = on_refused,
                                    .on_member = on_member,
                                    .on_lost = on_lost,
                                    .on_copied = on_copied,
                                    .on_left = on_left,
                                    .on_event = on_event,
                                    .on_pending = on_pending,
                                    .on_abused = on_abused,
                                    .on_reflect = on_reflect};
        _cleanup_close_ int fd = -EBADF;

        int r = open_store(m, reterr);
        if (r >= 0)
                r = open_authority(m, reterr);
        if (r >= 0)
                r = open_port(m, &fd, reterr);
        if (r < 0)
                return r;
        GatePolicy p = {.authority = m->authority,
                        .db = m->db,
                        .cluster = m->cluster,
                        .ray_token = m->ray_token};
        r = gate_new(m->event, fd, &p, &ops, m, &m->gate);
        if (r < 0)
                return r;
        (void)TAKE_FD(fd);
        gate_set_ray_authority(m->gate, m->ray_authority);
        return gate_set_settings(m->gate, strempty(m->settings));
}

static void try_open(Members *m)
{
        _cleanup_free_ char *why = NULL;

        int r = open_all(m, &why);
        if (r >= 0) {
                backoff_reset(&m->backoff);
                members_count(m);
                members_show(m);
                return;
        }
        close_all(m);
        char *text = str_printf("the control port is closed: %s", why ? why : strerror(-r));
        if (text && !streq_ptr(text, m->text))
                log_event(LOG_WARNING, MSG_CONTROL_CLOSED, NULL, "%s", text);
        say(m, text);
        (void)sd_event_source_set_time_relative(m->again, backoff_next(&m->backoff));
        (void)sd_event_source_set_enabled(m->again, SD_EVENT_ONESHOT);
}

/* The head's own certificate: each hour, and when something of this machine changed. */
static void renew(Members *m)
{
        Addr addrs[PKI_ADDRS_MAX];
        _cleanup_free_ char *why = NULL;

        if (!m->gate)
                return;
        int r = address_own(&m->address, addrs, ELEMENTSOF(addrs), &why);
        if (r >= 0)
                r = authority_renew(m->authority, now_real(), addrs, (size_t)r, &why);
        if (r < 0)
                (void)log_warning_errno(r, "The head's certificate cannot be renewed: %s",
                                        strna(why));
        else if (r > 0)
                log_info("The head has a new certificate for the control port.");
}

static int on_renew(sd_event_source *s, uint64_t usec, void *userdata)
{
        Members *m = userdata;

        renew(m);
        (void)sd_event_source_set_time_relative(s, cert_look_every());
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

static int on_again(sd_event_source *s, uint64_t usec, void *userdata)
{
        try_open(userdata);
        return 0;
}

/* What all members are told again. */
static int tell_all(Members *m, const MembersPolicy *p)
{
        int r = free_and_strdup(&m->ray_token, p->ray_token);
        if (r > 0)
                r = gate_set_ray_token(m->gate, p->ray_token);
        if (r < 0)
                return r;
        members_show(m); /* who is out may not know this one */
        r = free_and_strdup(&m->settings, p->settings);
        return r > 0 ? gate_set_settings(m->gate, strempty(p->settings)) : r;
}

int members_configure(Members *m, const MembersPolicy *p)
{
        bool same = m->port == p->port && streq_ptr(m->cluster, p->cluster) &&
                    streq_ptr(m->name, p->name) && !p->no_token;

        m->ray_authority = p->ray_authority;
        m->address = p->address;
        if (m->gate)
                gate_set_ray_authority(m->gate, p->ray_authority);
        if (same && m->gate) {
                renew(m);
                return tell_all(m, p);
        }
        const char *values[] = {p->state_dir, p->node_id,  p->name,    p->cluster,
                                p->ray_token, p->settings, p->no_token};
        char **places[] = {&m->state_dir, &m->node_id,  &m->name,    &m->cluster,
                           &m->ray_token, &m->settings, &m->no_token};
        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                if (free_and_strdup(places[i], values[i]) < 0)
                        return -ENOMEM;
        m->port = p->port;
        backoff_reset(&m->backoff);
        close_all(m);
        if (p->no_token)
                say(m, str_printf("the control port is closed: %s", p->no_token));
        else
                try_open(m);
        return 0;
}

/* --- the object ---------------------------------------------------------------------------------
 */

int members_new(sd_event *event, const MembersOps *ops, void *userdata, Members **ret)
{
        _cleanup_(members_freep) Members *m = new0(Members, 1);
        if (!m)
                return -ENOMEM;
        *m = (Members){.event = event,
                       .ops = *ops,
                       .userdata = userdata,
                       .backoff = {.base = USEC_PER_SEC, .max = 30 * USEC_PER_SEC}};
        int r = sd_event_add_time(event, &m->again, CLOCK_MONOTONIC, USEC_INFINITY, 0, on_again, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->again, SD_EVENT_OFF);
        if (r >= 0)
                r = reflections_new(event, &m->reflections);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &m->renewal, CLOCK_BOOTTIME,
                                               cert_look_every(), 0, on_renew, m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

Members *members_free(Members *m)
{
        if (!m)
                return NULL;
        close_all(m);
        reflections_free(m->reflections);
        member_log_done(&m->log);
        sd_event_source_disable_unref(m->again);
        sd_event_source_disable_unref(m->renewal);
        mac_forget_text(&m->ray_token);
        free(m->state_dir);
        free(m->node_id);
        free(m->name);
        free(m->cluster);
        free(m->settings);
        free(m->no_token);
        free(m->text);
        free(m);
        return NULL;
}

void members_set_reflector(Members *m, const PortPlan *plan, const Addr *address,
                           const Versions *versions)
{
        ReflectPolicy p = {.head_node = *address};

        p.back.n_ports = port_plan_spans(plan, ROLE_WORKER, p.back.ports);
        if (versions)
                p.head = *versions;
        reflections_configure(m->reflections, &p);
}

const char *members_text(const Members *m)
{
        return strempty(m->text);
}

Gate *members_gate(const Members *m, char **reterr)
{
        (void)members_need_open(m, reterr);
        return m->gate;
}

Db *members_db(const Members *m)
{
        return m->db;
}

bool members_is_open(const Members *m)
{
        return m->gate;
}
