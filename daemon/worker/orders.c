/*     none ── orders_take() ──> under way ── it has come about, cannot, or its time is over ──>
 * none
 *
 * under way: the deadline runs; an examination has a probe as well
 */
#include "worker/orders.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "probe/probe.h"
#include "sys/deadline.h"
#include "sys/mac.h"

struct Orders {
        sd_event *event;          /* weak */
        Keeper *keeper;           /* weak */
        const Scout *scout;       /* weak */
        const Presence *presence; /* weak */
        OrdersOps ops;
        void *userdata;
        char *held_path, *token, *reason;
        const EngineTls *tls; /* weak */
        bool held;

        MemberOrder order;  /* under way; OTHER: none */
        uint64_t number;    /* of it */
        bool ended;         /* of a restart: what ran before does not any more */
        Deadline *deadline; /* until it is answered in any case */
        TlsContext *context;
        Probe *probe;
};

static void forget(Orders *o)
{
        o->order = MEMBER_ORDER_OTHER;
        o->deadline = deadline_free(o->deadline);
        o->probe = probe_free(o->probe);
        o->context = tls_context_free(o->context);
}

static void answer(Orders *o, bool ok, const char *text)
{
        uint64_t number = o->number;

        forget(o);
        o->ops.on_answer(o, number, ok, text, o->userdata);
}

static void on_deadline(void *userdata)
{
        Orders *o = userdata;
        _cleanup_free_ char *text = str_printf("it goes on: %s", o->reason);

        answer(o, true, text ? text : "it goes on");
}

/* --- holding ------------------------------------------------------------------------------------
 */

static int set_held(Orders *o, bool held)
{
        static const char text[] = "Ray is off: raycluster node start, on the head, ends this.\n";

        int r = held ? write_file_atomic(o->held_path, text, strlen(text), 0600, (gid_t)-1)
                : unlink(o->held_path) < 0 && errno != ENOENT ? -errno
                                                              : 0;
        if (r < 0 || o->held == held)
                return r;
        o->held = held;
        o->ops.on_hold(o, o->userdata);
        return 0;
}

static void begin_holding(Orders *o, bool held)
{
        int r = set_held(o, held);
        if (r >= 0)
                return;
        _cleanup_free_ char *text = str_printf("%s cannot be %s: %s", o->held_path,
                                               held ? "written" : "removed", strerror(-r));
        answer(o, false, text ? text : strerror(-r));
}

void orders_release(Orders *o)
{
        if (!o->held)
                return;
        int r = set_held(o, false);
        if (r < 0)
                (void)log_error_errno(r, "Failed to remove %s: %m", o->held_path);
}

/* --- restarting ---------------------------------------------------------------------------------
 */

static void begin_restart(Orders *o)
{
        if (o->held)
                answer(o, false,
                       "it is held: raycluster node start starts Ray, with all that has changed");
        else if (!engine_state_is_up(keeper_unit_state(o->keeper))) {
                _cleanup_free_ char *text = str_printf("Ray does not run: %s", o->reason);
                answer(o, false, text ? text : "Ray does not run");
        } else {
                keeper_restart(o->keeper, MSG_DRAINING, false, "the head's admin wants it");
                keeper_kick(o->keeper);
        }
}

/* --- examining ----------------------------------------------------------------------------------
 */

static void on_probe(Probe *p, const ProbeReport *report, void *userdata)
{
        Orders *o = userdata;
        _cleanup_free_ char *text =
                isempty(report->hint) ? strdup(report->sentence)
                                      : str_printf("%s. Try: %s", report->sentence, report->hint);

        answer(o, report->verdict == VERDICT_OK, text ? text : verdict_to_string(report->verdict));
}

static int examine(Orders *o, const Addr *head)
{
        const Candidate *c = scout_candidate(o->scout);
        const TlsFiles *files = engine_tls_files(o->tls);
        char text[ADDR_MAX];
        TlsMistake mistake;
        ProbeRequest request = {.host = c ? c->name : addr_format(text, head),
                                .port = head->port,
                                .addr = head,
                                .token = o->token};

        int r = files ? tls_context_new(files, &mistake, &o->context) : 0;
        request.tls = o->context;
        return r < 0 ? r : probe_new(o->event, &request, on_probe, o, &o->probe);
}

static void begin_probe(Orders *o)
{
        const Addr *watched = presence_addr(o->presence);
        const Addr *head = watched ? watched : scout_addr(o->scout);

        if (!head) {
                answer(o, false, o->reason);
                return;
        }
        int r = examine(o, head);
        if (r < 0) {
                _cleanup_free_ char *text =
                        str_printf("the head cannot be examined: %s", strerror(-r));
                answer(o, false, text ? text : strerror(-r));
        }
}

/* --- orders -------------------------------------------------------------------------------------
 */

void orders_take(Orders *o, const MemberCommand *c)
{
        forget(o);
        o->order = c->order;
        o->number = c->number;
        o->ended = false;
        log_event(LOG_NOTICE, MSG_ORDERED, NULL, "the head's admin orders: %s",
                  member_order_to_string(c->order));
        int r = deadline_new(o->event, ORDERS_ANSWER_MAX, USEC_PER_SEC / 4, on_deadline, o,
                             &o->deadline);
        if (r < 0) {
                answer(o, false, strerror(-r));
                return;
        }
        switch (c->order) {
        case MEMBER_ORDER_START:
                begin_holding(o, false);
                break;
        case MEMBER_ORDER_STOP:
        case MEMBER_ORDER_DRAIN:
                begin_holding(o, true);
                break;
        case MEMBER_ORDER_RESTART_ENGINE:
                begin_restart(o);
                break;
        case MEMBER_ORDER_PROBE:
                begin_probe(o);
                break;
        default:
                answer(o, false, "this machine's raycluster is older, and does not know of that");
        }
}

static void look_for_start(Orders *o, WorkerState state)
{
        if (state == WORKER_JOINED)
                answer(o, true, o->reason);
        else if (state == WORKER_BLOCKED)
                answer(o, false, o->reason);
}

void orders_look(Orders *o, WorkerState state, const char *reason)
{
        KeepPhase phase = keeper_phase(o->keeper);

        if (free_and_strdup(&o->reason, reason) < 0)
                (void)log_oom();
        o->ended = o->ended || phase == KEEP_STOPPING;
        switch (o->order) {
        case MEMBER_ORDER_START:
                look_for_start(o, state);
                break;
        case MEMBER_ORDER_STOP:
        case MEMBER_ORDER_DRAIN:
                if (state == WORKER_HELD && phase == KEEP_IDLE)
                        answer(o, true, "Ray is off, and stays off until raycluster node start");
                break;
        case MEMBER_ORDER_RESTART_ENGINE:
                if (o->ended && phase != KEEP_STOPPING)
                        look_for_start(o, state);
                break;
        default:
                break;
        }
}

bool orders_holds(const Orders *o)
{
        return o->held;
}

/* --- the object ---------------------------------------------------------------------------------
 */

int orders_configure(Orders *o, const char *token, const EngineTls *tls)
{
        o->tls = tls;
        return free_and_strdup(&o->token, token);
}

int orders_new(sd_event *event, const OrdersPolicy *p, const OrdersOps *ops, void *userdata,
               Orders **ret)
{
        _cleanup_(orders_freep) Orders *o = new0(Orders, 1);
        if (!o)
                return -ENOMEM;
        *o = (Orders){
                .event = event,
                .keeper = p->keeper,
                .scout = p->scout,
                .presence = p->presence,
                .ops = *ops,
                .userdata = userdata,
                .held_path = path_join(p->state_dir, ORDERS_HELD),
                .reason = strdup(""),
        };
        if (!o->held_path || !o->reason)
                return -ENOMEM;
        o->held = access(o->held_path, F_OK) >= 0;
        *ret = TAKE_PTR(o);
        return 0;
}

Orders *orders_free(Orders *o)
{
        if (!o)
                return NULL;
        forget(o);
        mac_forget_text(&o->token);
        free(o->held_path);
        free(o->reason);
        free(o);
        return NULL;
}
