#include "worker/ray-cert.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/str.h"
#include "member/ray-certificate.h"
#include "sys/deadline.h"

/* Realtime may be set: so often it is looked at again. */
#define LOOK_MAX (60 * USEC_PER_MIN)
/* An answer that does not help, or none: asked again after this, and then longer. */
#define PAUSE     (5 * USEC_PER_SEC)
#define PAUSE_MAX (60 * USEC_PER_MIN)
/* What Ray needs to start, and is there: written again after PAUSE, and then up to this. */
#define HAND_PAUSE_MAX (5 * USEC_PER_MIN)
/* Another certificate is on its way. */
#define PAUSE_BUSY USEC_PER_SEC

struct RayCert {
        char *state_dir, *name;
        Membership *membership; /* weak */
        ray_cert_cb cb;
        void *userdata;

        char *dir; /* where Ray reads; NULL = off */
        Addr address;
        bool member, connected; /* when it was looked at last */
        bool seen;              /* it was known then whether it is a member */
        bool asked;             /* an answer is due */
        bool greets;            /* the head came up, and has not answered since */
        usec_t next;            /* monotonic: nothing is to be done before */
        Deadline *deadline;     /* of next */
        Backoff pause;
        usec_t again;      /* monotonic: what is kept is not handed to Ray before */
        Deadline *handing; /* of again */
        Backoff hand_pause;
        char *trouble; /* why the last answer was none, or NULL */
        char *missing;
        bool told; /* that it is missing */
};

/* --- when ---------------------------------------------------------------------------------------
 */

static void wait_for(RayCert *c, usec_t time)
{
        c->next = usec_add(now_mono(), time);
        (void)deadline_move(c->deadline, time);
}

static void wait_no_more(RayCert *c)
{
        c->next = 0;
        backoff_reset(&c->pause);
}

static usec_t renew_at(const RayCert *c)
{
        return ray_certificate_renew_at(c->state_dir, &c->address, addr_is_set(&c->address) ? 1 : 0,
                                        now_real());
}

static void on_deadline(void *userdata)
{
        RayCert *c = userdata;
        c->cb(c, c->userdata);
}

/* --- asking -------------------------------------------------------------------------------------
 */

static void fail(RayCert *c, const char *why)
{
        if (!streq_ptr(c->trouble, why))
                log_warning("No certificate for Ray's TLS from the head: %s", why);
        (void)free_and_strdup(&c->trouble, why);
        wait_for(c, backoff_next(&c->pause));
}

static void ask(RayCert *c)
{
        _cleanup_buf_ Buf csr = {0};

        int r = ray_certificate_request(c->state_dir, c->name, &csr);
        if (r < 0) {
                fail(c, strerror(-r));
                return;
        }
        r = membership_ask_ray(c->membership, (MemberBytes){buf_data(&csr), buf_size(&csr)});
        if (r == -EOPNOTSUPP)
                fail(c, "its raycluster is too old to have one: update the head");
        else if (r < 0)
                wait_for(c, PAUSE_BUSY);
        c->asked = r >= 0;
}

static void ask_in_time(RayCert *c)
{
        if (c->asked || now_mono() < c->next)
                return;
        usec_t at = renew_at(c);
        if (at == 0 || c->greets)
                ask(c);
        else
                wait_for(c, MIN(usec_sub(at, now_real()), LOOK_MAX));
}

void ray_cert_issued(RayCert *c, const MemberIssued *m)
{
        _cleanup_free_ char *why = NULL;

        c->asked = c->greets = false;
        if (!c->dir || !c->member)
                return;
        if (renew_at(c) > 0 && ray_certificate_is_of(c->state_dir, m)) {
                wait_no_more(c); /* what there is does */
                return;
        }
        int r = ray_certificate_take(c->state_dir, c->dir, m, now_real(), &why);
        if (r < 0) {
                fail(c, why ? why : strerror(-r));
                return;
        }
        log_info("This machine has a new certificate for Ray's TLS.");
        free(TAKE_PTR(c->trouble));
        if (renew_at(c) > 0)
                wait_no_more(c);
        else /* it lacks our address: the membership's certificate gets it first, in a minute */
                wait_for(c, backoff_next(&c->pause));
        c->cb(c, c->userdata);
}

void ray_cert_refused(RayCert *c, const char *why)
{
        c->asked = false;
        fail(c, why);
        c->cb(c, c->userdata);
}

/* --- what is missing ----------------------------------------------------------------------------
 */

static bool files_do(const EngineTls *tls)
{
        _cleanup_free_ char *why = NULL;
        return engine_tls_check(tls, now_real(), &why) > 0;
}

static char *describe(const RayCert *c)
{
        if (!c->connected)
                return str_printf("waiting for Ray's certificate from the head: %s",
                                  membership_text(c->membership));
        return str_printf("waiting for Ray's certificate from the head, which was asked for it%s%s",
                          c->trouble ? ": " : "", strempty(c->trouble));
}

/* In the journal when it lasts, and once when it is over. */
static void tell(RayCert *c, bool missing)
{
        free(TAKE_PTR(c->missing));
        if (missing)
                c->missing = describe(c);
        if (c->missing && !c->told && (!c->connected || c->trouble)) {
                log_event(LOG_WARNING, MSG_BLOCKED, NULL, "blocked: %s", c->missing);
                c->told = true;
        } else if (!missing && c->told) {
                log_event(LOG_INFO, MSG_UNBLOCKED, NULL, "this machine has Ray's certificate");
                c->told = false;
        }
}

/* --- handing over -------------------------------------------------------------------------------
 */

/* What is kept, to where Ray reads; there may be no room, or no folder, for a while. */
static int hand(RayCert *c)
{
        bool first = c->hand_pause.attempt == 0;

        int r = ray_certificate_restore(c->state_dir, c->dir);
        if (r == -ENOENT && renew_at(c) == 0) /* none is kept */
                return r;
        if (r < 0 && first)
                (void)log_error_errno(r, "Failed to hand Ray its certificate: %m");
        usec_t pause = backoff_next(&c->hand_pause);
        c->again = usec_add(now_mono(), pause);
        (void)deadline_move(c->handing, pause);
        return r;
}

static void hand_no_more(RayCert *c)
{
        c->again = 0;
        backoff_reset(&c->hand_pause);
        (void)deadline_move(c->handing, USEC_INFINITY);
}

/* Also what went there well, and is gone since. */
static void hand_in_time(RayCert *c, const EngineTls *tls)
{
        if (files_do(tls)) {
                hand_no_more(c);
                return;
        }
        if (now_mono() < c->again || renew_at(c) == 0 || hand(c) < 0)
                return;
        free(TAKE_PTR(c->trouble));
        c->cb(c, c->userdata);
}

/* --- looking ------------------------------------------------------------------------------------
 */

static void take_up(RayCert *c, const char *dir)
{
        bool on = dir && !c->dir;

        if (free_and_strdup(&c->dir, dir) < 0)
                (void)log_oom();
        if (!on || !c->dir)
                return;
        wait_no_more(c);
        hand_no_more(c);
        (void)hand(c);
}

/* Of a machine that is no member: what was its cluster's. Others gave it what else may be there. */
static void forget(RayCert *c)
{
        if (c->member)
                engine_tls_remove();
        if (c->member || !c->seen)
                ray_certificate_forget(c->state_dir);
        free(TAKE_PTR(c->dir));
        free(TAKE_PTR(c->trouble));
}

static void note_connection(RayCert *c)
{
        bool connected = membership_is_connected(c->membership);

        if (connected && !c->connected) {
                c->greets = true;
                wait_no_more(c);
        }
        if (!connected)
                c->asked = false;
        c->connected = connected;
}

void ray_cert_look(RayCert *c, const EngineTls *tls, const Addr *address, bool running)
{
        bool member = membership_is_member(c->membership);
        bool bound = membership_is_bound(c->membership);

        if (member)
                take_up(c, tls->dir);
        else if (!bound) /* else its identity may be read again at the next start */
                forget(c);
        c->member = member;
        c->seen = c->seen || member || !bound;
        note_connection(c);
        if (!addr_equal(&c->address, address))
                wait_no_more(c);
        c->address = *address;
        if (c->dir)
                hand_in_time(c, tls);
        if (c->dir && c->connected)
                ask_in_time(c);
        tell(c, tls->dir && !running && !files_do(tls));
}

const char *ray_cert_missing(const RayCert *c)
{
        return c->missing;
}

/* --- the object ---------------------------------------------------------------------------------
 */

int ray_cert_new(sd_event *event, const char *state_dir, const char *name, Membership *m,
                 ray_cert_cb cb, void *userdata, RayCert **ret)
{
        _cleanup_(ray_cert_freep) RayCert *c = new0(RayCert, 1);
        if (!c)
                return -ENOMEM;
        *c = (RayCert){.state_dir = strdup(state_dir),
                       .name = strdup(name),
                       .membership = m,
                       .cb = cb,
                       .userdata = userdata,
                       .pause = {.base = PAUSE, .max = PAUSE_MAX},
                       .hand_pause = {.base = PAUSE, .max = HAND_PAUSE_MAX}};
        if (!c->state_dir || !c->name)
                return -ENOMEM;
        int r = deadline_new(event, USEC_INFINITY, USEC_PER_SEC / 4, on_deadline, c, &c->deadline);
        if (r >= 0)
                r = deadline_new(event, USEC_INFINITY, USEC_PER_SEC / 4, on_deadline, c,
                                 &c->handing);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

RayCert *ray_cert_free(RayCert *c)
{
        if (!c)
                return NULL;
        deadline_free(c->deadline);
        deadline_free(c->handing);
        free(c->state_dir);
        free(c->name);
        free(c->dir);
        free(c->trouble);
        free(c->missing);
        free(c);
        return NULL;
}
