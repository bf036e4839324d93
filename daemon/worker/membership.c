/*     no member ── membership_join() ──> being admitted ── the head gave a certificate ──> member
 *        ^                                   │                                              │
 *        ├── refused, or nobody to ask ──────┘           its link comes and goes by itself  │
 *        └── membership_leave() ────────────────────────────────────────────────────────────┘
 *
 * Becoming a member and leaving are in membership-join.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "member/confirmed.h"
#include "member/first-sight.h"
#include "role/daemon.h"
#include "role/token.h"
#include "sys/deadline.h"
#include "worker/membership-private.h"

/* How often a head at an address that is not its own is left for the other addresses: each time
 * nobody hears this machine for as long as those take, so ever more seldom. */
#define PASS_PAUSE     (30 * USEC_PER_SEC)
#define PASS_PAUSE_MAX (10 * USEC_PER_MIN)

/* Not yet known to its owner, it tells nobody. */
bool membership_say(Membership *m, const char *fmt, ...)
{
        char text[512];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        int r = free_and_strdup(&m->text, text);
        if (r < 0)
                (void)log_oom();
        if (r > 0 && m->ops.on_change)
                m->ops.on_change(m, m->userdata);
        return r > 0;
}

const char *membership_none(const Membership *m)
{
        return m->left ? "no member of a cluster: this machine has left (raycluster join)"
                       : "no member of a cluster: raycluster join, with a token of the head";
}

/* --- the standing connection --------------------------------------------------------------------
 */

const char *membership_head_text(const Membership *m, char buf[ADDR_PORT_MAX])
{
        return addr_format_port(buf, head_turns_now(&m->heads));
}

static bool pass_by(Membership *m);

/* False: this head was left for its other addresses. */
static bool confirm(Membership *m, MemberLink *l)
{
        int r = confirmed_prove(m->confirmed, head_turns_now(&m->heads), member_link_head_cert(l));

        if (r < 0)
                (void)log_error_errno(r, "Failed to keep where the head is in %s: %m",
                                      m->state_dir);
        m->unnamed = r == 0;
        if (!m->unnamed)
                backoff_reset(&m->pass_pause);
        return !m->unnamed || !pass_by(m);
}

static void on_welcome(MemberLink *l, const MemberWelcome *w, void *userdata)
{
        Membership *m = userdata;
        char head[ADDR_PORT_MAX];

        if (!confirm(m, l))
                return;

        if (m->told != TOLD_HERE)
                log_event(LOG_INFO, MSG_CONTROL_JOINED, NULL,
                          "connected to the head of cluster \"%s\" at %s", w->cluster,
                          membership_head_text(m, head));
        m->stranger = m->refuser = (Addr){0};
        m->told = TOLD_HERE;
        head_turns_found(&m->heads, !m->unnamed);
        bool other = membership_take_token(m, w->ray_token);
        membership_say(
                m, "member, connected to the head at %s%s", membership_head_text(m, head),
                m->unnamed
                        ? ", which is none of the addresses that its certificate names: Ray is not "
                          "started for it; reach the head by one of its own, without a forwarder "
                          "in between"
                        : "");
        if (other)
                m->ops.on_token(m, m->userdata);
}

static void on_settings(MemberLink *l, const char *text, void *userdata)
{
        membership_take_settings(userdata, text);
}

static void on_reflect(MemberLink *l, MemberBytes reply, void *userdata)
{
        Membership *m = userdata;
        if (m->ops.on_reflect)
                m->ops.on_reflect(m, reply, m->userdata);
}

static void on_passing(void *userdata);

/* False: all addresses had their turn in this round, and the first one has it again. */
static bool turn(Membership *m)
{
        if (head_turns_next(&m->heads))
                return true;
        if (m->passed && !m->passing)
                (void)deadline_new(m->event, backoff_next(&m->pass_pause), USEC_PER_SEC, on_passing,
                                   m, &m->passing);
        m->passed = false;
        return false;
}

static void dial_next(Membership *m, bool other)
{
        bool next = other && turn(m);

        m->unnamed = false;
        member_link_set_head(m->link, head_turns_now(&m->heads));
        if (next)
                member_link_hurry(m->link);
}

/* Of several addresses each is the last one in turn: what another has said is not to be missed. */
static bool is_elsewhere(const Membership *m, const Addr *a)
{
        return addr_is_set(a) && !addr_port_equal(a, head_turns_now(&m->heads));
}

static void on_lost(MemberLink *l, const char *why, void *userdata)
{
        Membership *m = userdata;
        char head[ADDR_PORT_MAX];

        if (m->told == TOLD_HERE || m->told == TOLD_NOTHING)
                log_event(m->told == TOLD_HERE ? LOG_WARNING : LOG_NOTICE, MSG_CONTROL_LOST, NULL,
                          "not connected to the head's control port at %s: %s; trying again",
                          membership_head_text(m, head), why);
        bool news = confirmed_miss(m->confirmed, head_turns_now(&m->heads),
                                   member_link_met_stranger(l));
        const Addr *at = confirmed_addr(m->confirmed);
        char kept[ADDR_PORT_MAX], other[ADDR_PORT_MAX];
        if (member_link_met_stranger(l))
                m->stranger = *head_turns_now(&m->heads);
        bool beside = is_elsewhere(m, &m->stranger), refused = is_elsewhere(m, &m->refuser);
        membership_say(m, "%s%s not connected to the head at %s: %s%s%s%s%s%s",
                       refused ? m->refusal : "member,", refused ? ";" : "",
                       membership_head_text(m, head), why, beside ? "; what answers at " : "",
                       beside ? addr_format_port(other, &m->stranger) : "",
                       beside ? " is not the head of this machine's cluster" : "",
                       at ? "; Ray goes by the address that was confirmed last, " : "",
                       at ? addr_format_port(kept, at) : "");
        membership_look_again(m);
        /* the one that was the head is dialled again first */
        dial_next(m, m->told != TOLD_HERE);
        if (m->told != TOLD_REFUSED)
                m->told = TOLD_LOST;
        if (news)
                m->ops.on_change(m, m->userdata);
}

static void on_refused(MemberLink *l, const MemberRefused *r, void *userdata)
{
        Membership *m = userdata;
        char head[ADDR_PORT_MAX];

        (void)snprintf(m->refusal, sizeof(m->refusal),
                       "the head at %s does not let this machine in: %s",
                       membership_head_text(m, head), r->text);
        if (m->told != TOLD_REFUSED)
                log_event(LOG_ERR, MSG_CONTROL_REFUSED, NULL, "%s", m->refusal);
        m->told = TOLD_REFUSED;
        m->refuser = *head_turns_now(&m->heads);
        membership_say(m, "%s", m->refusal);
        /* the machine that was the head before a restore knows the authority, too */
        dial_next(m, true);
}

static void on_ray_issued(MemberLink *l, const MemberIssued *issued, void *userdata)
{
        Membership *m = userdata;
        m->ops.on_ray_issued(m, issued, m->userdata);
}

static void on_ray_refused(MemberLink *l, const char *why, void *userdata)
{
        Membership *m = userdata;
        m->ops.on_ray_refused(m, why, m->userdata);
}

static void on_command(MemberLink *l, const MemberCommand *c, void *userdata)
{
        Membership *m = userdata;
        m->ops.on_command(m, c, m->userdata);
}

static void on_renewed(MemberLink *l, usec_t until, void *userdata)
{
        log_debug("The certificate of this machine was renewed.");
}

static void on_renewal_failed(MemberLink *l, const char *why, void *userdata)
{
        log_warning("The certificate of this machine was not renewed, it is tried again: %s", why);
}

void membership_connect(Membership *m)
{
        static const MemberLinkOps ops = {.on_welcome = on_welcome,
                                          .on_lost = on_lost,
                                          .on_refused = on_refused,
                                          .on_left = membership_on_left,
                                          .on_renewed = on_renewed,
                                          .on_renewal_failed = on_renewal_failed,
                                          .on_settings = on_settings,
                                          .on_reflect = on_reflect,
                                          .on_ray_issued = on_ray_issued,
                                          .on_ray_refused = on_ray_refused,
                                          .on_command = on_command};
        char head[ADDR_PORT_MAX];

        if (m->leaving)
                return;
        bool was_here = membership_is_connected(m);
        m->link = member_link_free(m->link);
        if (!m->member)
                return;
        if (m->heads.n == 0) {
                membership_say(m, "member, looking for the head");
                return;
        }
        membership_find_facts(m);
        MemberLinkPolicy p = {
                .head = *head_turns_now(&m->heads), .identity = m->path, .facts = &m->facts};
        int r = member_link_new(m->event, &p, &ops, m, &m->link);
        if (r < 0 && membership_say(m, "member, but cannot go by %s: %s", m->path, strerror(-r)))
                log_event(LOG_ERR, MSG_CONTROL_LOST, NULL, "%s", m->text);
        if (r >= 0 && was_here)
                membership_say(m, "member, connecting to the head at %s",
                               membership_head_text(m, head));
}

/* Left for the next address, once a round: what is connected may be somebody in between. */
static bool pass_by(Membership *m)
{
        if (m->passing)
                return false;
        size_t here = m->heads.at;
        m->passed = true;
        if (!turn(m)) {
                m->heads.at = here;
                return false;
        }
        m->unnamed = false;
        m->told = TOLD_LOST; /* the next one was not the head just now: one attempt is enough */
        membership_connect(m);
        return true;
}

static void on_passing(void *userdata)
{
        Membership *m = userdata;

        m->passing = deadline_free(m->passing);
        if (m->unnamed)
                (void)pass_by(m);
}

void membership_set_heads(Membership *m, const Addr *heads, size_t n, bool only)
{
        Addr before = m->heads.n > 0 ? *head_turns_now(&m->heads) : (Addr){0};
        bool idle = m->member && !m->link; /* it could not be begun: tried again */
        HeadTurnsChange change = head_turns_set(&m->heads, heads, n, only);
        bool anew = m->unnamed && change == HEAD_TURNS_NEW;

        if (n == 0 || (change == HEAD_TURNS_SAME && !idle))
                return;
        if (anew) { /* one of these may be an address of the head's own */
                m->heads.at = 0;
                m->passing = deadline_free(m->passing);
                backoff_reset(&m->pass_pause);
        }
        if (m->admission)
                admission_found(m->admission, m->heads.addrs, m->heads.n);
        if (!m->link || anew || !addr_port_equal(head_turns_now(&m->heads), &before))
                membership_connect(m);
}

int membership_done(Membership *m, uint64_t number, bool ok, const char *text)
{
        return m->link ? member_link_done(m->link, number, ok, text) : -ENOTCONN;
}

int membership_event(Membership *m, const char *message_id, const char *text, usec_t at)
{
        return m->link ? member_link_event(m->link, message_id, text, at) : -ENOTCONN;
}

/* --- the object ---------------------------------------------------------------------------------
 */

/* Of identity_load(): what is read is no identity; else it may be one. */
static bool is_damage(int r)
{
        return r == -EBADMSG || r == -EKEYREJECTED || r == -EMSGSIZE || r == -E2BIG;
}

static void take_up(Membership *m)
{
        _cleanup_identity_ Identity i = {0};
        uint8_t pin[PKI_PIN_SIZE];

        int r = identity_load(m->path, &i);
        bool was_head = r >= 0 && !identity_is(&i, PKI_WORKER);
        if (r == -ENOENT || was_head) {
                _cleanup_free_ char *left = membership_left_path(m);
                m->left = left && access(left, F_OK) == 0;
                membership_say(m, "%s",
                               was_head ? "no member of a cluster: this machine was a head; "
                                          "raycluster join makes it a worker of another"
                                        : membership_none(m));
                if (first_sight_load(m->path, pin, NULL) >= 0) /* it waited for an admin's word */
                        membership_ask(m);
                return;
        }
        m->damaged = r < 0;
        if (r < 0) {
                membership_say(m,
                               is_damage(r) ? "%s is damaged (%s): remove it, and join again with "
                                              "a token"
                                            : "%s cannot be read (%s): mend that, then systemctl "
                                              "restart ray-worker",
                               m->path, strerror(-r));
                log_event(LOG_ERR, MSG_CONTROL_REFUSED, NULL, "%s", m->text);
                return;
        }
        _cleanup_free_ char *kept = path_join(m->state_dir, DAEMON_HEAD_CONF);
        if (kept)
                (void)read_file(kept, CONF_ROOM_MAX, &m->settings, NULL);
        r = token_restore(m->state_dir);
        if (r < 0 && r != -ENOENT)
                (void)log_error_errno(r, "Failed to hand Ray its token: %m");
        m->member = true;
        membership_say(m, "member, looking for the head");
        const Addr *last = confirmed_last(m->confirmed);
        if (last) {
                head_turns_only(&m->heads, last);
        }
}

int membership_new(sd_event *event, const MembershipPolicy *p, const MembershipOps *ops,
                   void *userdata, Membership **ret)
{
        _cleanup_(membership_freep) Membership *m = new0(Membership, 1);
        if (!m)
                return -ENOMEM;
        *m = (Membership){
                .event = event,
                .userdata = userdata,
                .state_dir = strdup(p->state_dir),
                .path = path_join(p->state_dir, IDENTITY_FILE),
                .node_id = strdup(p->node_id),
                .name = strdup(p->name),
                .pass_pause = {.base = PASS_PAUSE, .max = PASS_PAUSE_MAX},
        };
        if (!m->state_dir || !m->path || !m->node_id || !m->name)
                return -ENOMEM;
        int r = membership_begin_looking(m);
        if (r >= 0)
                r = confirmed_new(p->state_dir, &m->confirmed);
        if (r < 0)
                return r;
        take_up(m);
        if (m->heads.n > 0)
                membership_connect(m);
        m->ops = *ops;
        *ret = TAKE_PTR(m);
        return 0;
}

Membership *membership_free(Membership *m)
{
        if (!m)
                return NULL;
        admission_free(m->admission);
        deadline_free(m->look);
        deadline_free(m->passing);
        member_link_free(m->link);
        confirmed_free(m->confirmed);
        free(m->state_dir);
        free(m->path);
        free(m->node_id);
        free(m->name);
        free(m->text);
        membership_settings_done(m);
        free(m);
        return NULL;
}

const char *membership_settings(const Membership *m)
{
        return m->settings;
}

int membership_ray_token(const Membership *m, char **ret)
{
        return token_kept(m->state_dir, ret);
}

MemberLink *membership_link(const Membership *m)
{
        return m->link && member_link_is_joined(m->link) ? m->link : NULL;
}

bool membership_is_member(const Membership *m)
{
        return m->member;
}

bool membership_is_connected(const Membership *m)
{
        return m->link && member_link_is_joined(m->link);
}

int membership_ask_ray(Membership *m, MemberBytes csr)
{
        return m->link ? member_link_ask_ray(m->link, csr) : -ENOTCONN;
}

bool membership_is_bound(const Membership *m)
{
        return m->member || m->damaged;
}

const Addr *membership_head(const Membership *m)
{
        return confirmed_addr(m->confirmed);
}

const char *membership_text(const Membership *m)
{
        return strempty(m->text);
}
