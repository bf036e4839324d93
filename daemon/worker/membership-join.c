/* How a machine becomes a member, and how it ends to be one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "member/authority.h"
#include "member/first-sight.h"
#include "role/daemon.h"
#include "role/token.h"
#include "worker/membership-private.h"

static void answer(Membership *m, const MembershipAnswer *a)
{
        membership_cb cb = m->cb;

        m->cb = NULL;
        if (cb)
                cb(a, m->cb_userdata);
}

static void answer_text(Membership *m, int error, const char *text)
{
        answer(m, &(MembershipAnswer){
                          .error = error, .text = text, .words_head = "", .words_own = ""});
}

static void on_admitted(Admission *a, const Addr *head, void *userdata)
{
        Membership *m = userdata;
        char text[ADDR_PORT_MAX];

        /* this one is the head, whatever else was found */
        head_turns_only(&m->heads, head);
        m->unnamed = m->passed = m->damaged = m->waited = false;
        m->passing = deadline_free(m->passing);
        confirmed_forget(m->confirmed); /* it may be another cluster */
        m->told = TOLD_NOTHING;
        m->member = true;
        m->admission = admission_free(m->admission);
        log_event(LOG_NOTICE, MSG_ENROLLED, NULL, "this machine is a member of the cluster of %s",
                  membership_head_text(m, text));
        membership_connect(m);
        answer_text(m, 0, "");
}

/* A member may be on its way to another cluster: what it is until then, its connection says. */
static void on_pending(Admission *a, const Addr *head, const JoinResult *r, void *userdata)
{
        Membership *m = userdata;

        m->waited = false; /* for this one from now on */
        if (!m->member)
                membership_say(m,
                               "not a member yet: %s; this machine's key is \"%s\", the head's "
                               "\"%s\"",
                               r->text, r->words_own, r->words_head);
        answer(m, &(MembershipAnswer){
                          .text = r->text, .words_head = r->words_head, .words_own = r->words_own});
}

static void on_trouble(Admission *a, const char *text, void *userdata)
{
        Membership *m = userdata;

        if (!m->member)
                membership_say(m, "not a member yet: %s", text);
}

static bool has_sighted(const Membership *m)
{
        uint8_t pin[PKI_PIN_SIZE];

        return first_sight_load(m->path, pin, NULL) >= 0;
}

static void wait_on(Membership *m);

/* What somebody has tried while it waited came to nothing, that is all; unless it was a no of the
 * head that it had waited for. */
static void on_not_admitted(Admission *a, const char *text, void *userdata)
{
        Membership *m = userdata;

        if (!m->member)
                membership_say(m, "no member of a cluster: %s", text);
        answer_text(m, -ECONNREFUSED, text);
        m->admission = admission_free(m->admission);
        bool waits = m->waited && (!m->sighted || has_sighted(m));
        m->waited = false;
        if (waits)
                wait_on(m);
}

static int begin_admission(Membership *m, const char *token, const Addr *heads, size_t n,
                           bool patient, char **reterr)
{
        static const AdmissionOps ops = {.on_done = on_admitted,
                                         .on_pending = on_pending,
                                         .on_trouble = on_trouble,
                                         .on_failed = on_not_admitted};
        AdmissionPolicy p = {.path = m->path,
                             .node_id = m->node_id,
                             .name = m->name,
                             .token = token,
                             .heads = heads,
                             .n_heads = n,
                             .patient = patient};
        Admission *next = NULL;

        membership_look_again(m);
        int r = admission_new(m->event, &p, &ops, m, &next, reterr);
        if (r < 0) /* a token that is none: who waits to be let in, waits on */
                return r;
        admission_free(m->admission);
        m->admission = next;
        admission_found(m->admission, m->heads.addrs, m->heads.n);
        return 0;
}

char *membership_left_path(const Membership *m)
{
        return path_join(m->state_dir, "left");
}

/* Else a machine that asks by itself would be a member again at once. */
static void set_left(Membership *m, bool left)
{
        _cleanup_free_ char *path = membership_left_path(m);
        int r = 0;

        m->left = left;
        if (!path)
                r = -ENOMEM;
        else if (left)
                r = write_file_atomic(path, "", 0, 0600, (gid_t)-1);
        else if (unlink(path) < 0 && errno != ENOENT)
                r = -errno;
        if (r < 0)
                (void)log_error_errno(r, "Failed to keep in %s whether this machine has left: %m",
                                      m->state_dir);
}

void membership_join(Membership *m, const char *token, const Addr *heads, size_t n,
                     membership_cb cb, void *userdata)
{
        _cleanup_free_ char *why = NULL;

        if (m->cb) {
                cb(&(MembershipAnswer){.error = -EBUSY,
                                       .text = "this machine is being joined already"},
                   userdata);
                return;
        }
        m->cb = cb;
        m->cb_userdata = userdata;
        if (m->link && member_link_is_joined(m->link)) {
                answer_text(m, -EALREADY,
                            "this machine is a member already, and connected: raycluster leave "
                            "first, if it is to go to another cluster");
                return;
        }
        bool waits = m->admission;
        int r = begin_admission(m, token, heads, n, false, &why);
        if (r < 0) {
                answer_text(m, r, why ? why : strerror(-r));
                return;
        }
        m->waited = waits;
        m->sighted = has_sighted(m);
        set_left(m, false);
}

static void wait_on(Membership *m)
{
        _cleanup_free_ char *why = NULL;
        uint8_t pin[PKI_PIN_SIZE];
        Addr head = {0};

        (void)first_sight_load(m->path, pin, &head); /* where it has asked before */
        int r = begin_admission(m, NULL, &head, addr_is_set(&head), true, &why);
        if (r < 0)
                (void)log_error_errno(r, "Failed to ask for membership: %m");
}

void membership_ask(Membership *m)
{
        if (!m->member && !m->admission && !m->left)
                wait_on(m);
}

static bool is_none(const char *path)
{
        return access(path, F_OK) < 0 && errno == ENOENT;
}

/* What cannot be read may be a member's. */
static bool may_be_member(const char *path)
{
        _cleanup_identity_ Identity i = {0};

        int r = identity_load(path, &i);
        return r >= 0 ? identity_is(&i, PKI_WORKER) : r != -ENOENT;
}

void membership_tidy(const char *state_dir)
{
        _cleanup_free_ char *identity = path_join(state_dir, IDENTITY_FILE);
        _cleanup_free_ char *authority = path_join(state_dir, AUTHORITY_FILE);
        _cleanup_free_ char *settings = path_join(state_dir, DAEMON_HEAD_CONF);

        if (!identity || !authority || !settings || may_be_member(identity))
                return;
        bool had = unlink(settings) == 0, other = false;
        /* a head's own token lies in the same place */
        int r = is_none(authority) ? token_take(state_dir, "", &other) : 0;
        if (r < 0)
                (void)log_error_errno(r, "Failed to remove Ray's token from %s: %m", state_dir);
        if (had || other)
                log_notice(
                        "This machine is no member by %s any more: Ray's token and settings of the "
                        "head that had let it in are removed.",
                        identity);
}

static void forget_beside(const Membership *m, const char *ending)
{
        _cleanup_free_ char *path = str_printf("%s%s", m->path, ending);

        if (path && unlink(path) < 0 && errno != ENOENT)
                (void)log_warning_errno(errno, "Failed to remove %s: %m", path);
}

/* Nothing that makes it a member is left. */
static int forget(Membership *m)
{
        bool was_bound = membership_is_bound(m);

        if (unlink(m->path) < 0 && errno != ENOENT)
                return -errno;
        forget_beside(m, ".new"); /* a certificate that was being tried, and its key */
        forget_beside(m, ".key");
        set_left(m, true);
        m->link = member_link_free(m->link);
        m->member = false;
        m->told = TOLD_NOTHING;
        m->heads.last = (Addr){0};
        m->unnamed = m->passed = m->damaged = false;
        m->passing = deadline_free(m->passing);
        confirmed_forget(m->confirmed);
        membership_say(m, "%s", membership_none(m));
        if (!was_bound) /* it has waited, in vain: Ray has nothing of it */
                return 0;
        (void)membership_take_token(m, "");
        log_event(LOG_NOTICE, MSG_LEFT, NULL, "this machine has left its cluster");
        membership_take_settings(m, NULL);
        m->ops.on_token(m, m->userdata);
        return 0;
}

/* The head knows, or cannot be told. */
void membership_on_left(MemberLink *l, void *userdata)
{
        Membership *m = userdata;

        /* a head that does not let it in has its own word for it */
        bool told =
                !m->member || m->told == TOLD_REFUSED || (m->leaving && member_link_was_heard(l));
        char text[300] = "";

        m->leaving = false;
        int r = forget(m);
        if (r < 0)
                membership_connect(m);
        else if (!told)
                (void)snprintf(text, sizeof(text),
                               "the head was not reached, and still lists this machine; there: "
                               "raycluster node forget %s",
                               m->name);
        answer_text(m, r, r < 0 ? strerror(-r) : text);
}

void membership_leave(Membership *m, membership_cb cb, void *userdata)
{
        if (m->cb) {
                cb(&(MembershipAnswer){.error = -EBUSY,
                                       .text = "this machine is being joined, or leaves already"},
                   userdata);
                return;
        }
        m->cb = cb;
        m->cb_userdata = userdata;
        if (!m->member && !m->admission) {
                answer_text(m, -ENOENT, "this machine is no member of a cluster");
                return;
        }
        if (m->admission) { /* it waits no longer */
                m->admission = admission_free(m->admission);
                first_sight_forget(m->path);
        }
        int r = m->link ? member_link_leave(m->link) : -ENOTCONN;
        m->leaving = r >= 0;
        if (r < 0) /* the head finds out when an admin looks */
                membership_on_left(m->link, m);
}
