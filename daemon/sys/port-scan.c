/*   ROUND ──over──> ROUND (what is silent, again)
 *     ├──some ports can only be told apart in a calm──> CALM ──1.1 s──> ALONE ──answer, or 2.3 s──┐
 *     │                                                  └<──────────────another one──────────────┤
 *     ├──all is known but the fate of own repeated SYNs──> WITNESS ──1.1 s──> DONE               │
 *     └──all is known──> DONE
 * <────────────────────────────────────────────────────────────────────┘
 *
 * The sockets are polled by an epoll of their own: sd-event would dispatch ten thousand sources one
 * by one, asking the kernel for all of them each time.
 *
 * Over 500 lines, since it is one state machine: what could leave it has left (port-rounds,
 * port-try, port-witness, fd-room). */
#include "sys/port-scan.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "model/port-rounds.h"
#include "sys/fd-room.h"
#include "sys/port-try.h"
#include "sys/port-witness.h"

#define DEADLINE_DEFAULT (15 * USEC_PER_SEC)
/* An answer is waited for at least and at most so long; four round trips between. */
#define WAIT_MIN (300 * USEC_PER_MSEC)
#define WAIT_MAX USEC_PER_SEC
/* Linux gives one ICMP a second to each destination (icmp_ratelimit). */
#define CALM (1100 * USEC_PER_MSEC)
/* The kernel repeats a SYN after 1 s: two sockets, four SYNs. */
#define ALONE_WAIT  (1150 * USEC_PER_MSEC)
#define ALONE_TRIES 2
/* Connects before the answers so far are looked at. */
#define CHUNK 64
/* Whom the first round was too much for. */
#define WINDOW_SLOW 256
/* Without any socket of our own open, a lack of descriptors or ports is others' doing: asked again
 * this often, then given up. */
#define LACK_PAUSE   (50 * USEC_PER_MSEC)
#define LACK_TRIES   20
#define WITNESS_FLAG ((uint64_t)1 << 32)

typedef enum PortScanState {
        SCAN_ROUND,   /* sockets go out, answers come in */
        SCAN_CALM,    /* nothing is sent, until rationed ICMP is to be had again */
        SCAN_ALONE,   /* one port is tried */
        SCAN_WITNESS, /* the kernel is let repeat SYNs */
        SCAN_DONE,    /* the owner was told */
        _SCAN_STATE_MAX,
        _SCAN_STATE_INVALID = -EINVAL,
} PortScanState;

typedef struct Try {
        uint32_t port; /* index of the result */
        int fd;        /* -EBADF: not begun, or over */
        usec_t begin;
} Try;

struct PortScan {
        sd_event *event; /* weak */
        port_scan_cb cb;
        void *userdata;
        ConnectPolicy policy;
        char interface[IF_NAMESIZE];
        FdRoom room;

        PortScanState state;
        PortRounds rounds;
        uint32_t *targets;
        Try *tries;
        size_t n_tries, next, oldest, n_open;
        size_t window, window_max; /* sockets at once: now, and ever */
        usec_t wait;
        unsigned n_alone, n_lacks;
        bool lacking; /* nothing can be sent until a socket of ours is closed, or the timer */
        usec_t begin, last_syn;

        PortWitnesses witnesses;
        bool witnessed;

        int epoll;
        sd_event_source *io;
        sd_event_source *send_defer;
        sd_event_source *step_timer;
        sd_event_source *deadline_timer;
        PortScanFacts facts;
};

static const uint32_t next_states[_SCAN_STATE_MAX] = {
        [SCAN_ROUND] = 1U << SCAN_ROUND | 1U << SCAN_CALM | 1U << SCAN_WITNESS | 1U << SCAN_DONE,
        [SCAN_CALM] = 1U << SCAN_ALONE | 1U << SCAN_DONE,
        [SCAN_ALONE] = 1U << SCAN_CALM | 1U << SCAN_WITNESS | 1U << SCAN_DONE,
        [SCAN_WITNESS] = 1U << SCAN_DONE,
};

static int scan_set_state(PortScan *s, PortScanState state)
{
        if (!(next_states[s->state] & 1U << state))
                return -EPROTO;
        s->state = state;
        return 0;
}

static void end_try(PortScan *s, Try *t)
{
        if (t->fd < 0)
                return;
        t->fd = safe_close(t->fd);
        s->n_open--;
        s->lacking = false;
        /* a lack may have passed: whoever does not ask again does not learn it */
        if (s->window < s->window_max)
                s->window++;
}

static void drop_all(PortScan *s)
{
        for (size_t i = s->oldest; i < s->next; i++)
                end_try(s, &s->tries[i]);
        s->n_tries = s->next = s->oldest = 0;
        port_witnesses_drop(&s->witnesses);
        s->io = sd_event_source_disable_unref(s->io);
        s->send_defer = sd_event_source_disable_unref(s->send_defer);
        s->step_timer = sd_event_source_disable_unref(s->step_timer);
        s->deadline_timer = sd_event_source_disable_unref(s->deadline_timer);
}

PortScan *port_scan_free(PortScan *s)
{
        if (!s)
                return NULL;
        drop_all(s);
        s->epoll = safe_close(s->epoll);
        fd_room_done(&s->room);
        port_rounds_done(&s->rounds);
        free(s->targets);
        free(s->tries);
        free(s);
        return NULL;
}

static void finish(PortScan *s, bool cut)
{
        if (scan_set_state(s, SCAN_DONE) < 0)
                return;
        drop_all(s);
        s->facts.complete = port_rounds_settle(&s->rounds, cut);
        s->facts.cut = cut;
        s->facts.results = s->rounds.results;
        s->facts.n = s->rounds.n;
        s->facts.window = (unsigned)s->window_max;
        s->facts.took = usec_sub(now_mono(), s->begin);
        s->cb(s, &s->facts, s->userdata);
}

static void set_timer(PortScan *s, usec_t at)
{
        (void)sd_event_source_set_time(s->step_timer, at);
        (void)sd_event_source_set_enabled(s->step_timer, SD_EVENT_ONESHOT);
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void note(PortScan *s, uint32_t port, const PortAnswer *a)
{
        port_rounds_answer(&s->rounds, port, a->state, a->error,
                           a->state == PORT_REJECTED ? &a->icmp : NULL);
        if (a->state == PORT_REJECTED)
                /* their repeated SYNs would take ICMP from others, and tell nothing any more */
                port_witnesses_drop(&s->witnesses);
}

static void take_event(PortScan *s, const struct epoll_event *e)
{
        uint64_t i = e->data.u64 & ~WITNESS_FLAG;
        PortAnswer a;

        if (e->data.u64 & WITNESS_FLAG) {
                PortWitness *w = i < s->witnesses.n ? &s->witnesses.each[i] : NULL;
                if (!w || w->fd < 0 || !port_try_look(w->fd, &a))
                        return;
                port_witness_close(w);
                note(s, w->port, &a);
                return;
        }
        Try *t = i < s->next ? &s->tries[i] : NULL;
        if (!t || t->fd < 0 || !port_try_look(t->fd, &a))
                return;
        end_try(s, t);
        note(s, t->port, &a);
}

/* Answers that are there already. */
static void take_answers(PortScan *s)
{
        struct epoll_event events[256];
        int n;

        /* bounded, so that whoever answers fast does not keep the loop */
        for (unsigned k = 0; k < 16; k++) {
                n = epoll_wait(s->epoll, events, ELEMENTSOF(events), 0);
                for (int i = 0; i < n; i++)
                        take_event(s, &events[i]);
                if (n < (int)ELEMENTSOF(events))
                        return;
        }
}

/* --- sockets ------------------------------------------------------------------------------------
 */

/* 1: *ret_fd waits for an answer, whose event will carry this id; 0: the answer is noted. Negative
 * errno of a lack. */
static int begin_try(PortScan *s, uint32_t port, uint64_t id, int *ret_fd)
{
        struct epoll_event e = {.events = EPOLLOUT, .data.u64 = id};
        _cleanup_close_ int fd = -EBADF;
        PortAnswer a;

        s->policy.addr.port = s->rounds.results[port].port;
        int r = port_try_begin(&s->policy, &fd, &a);
        if (r == 0)
                note(s, port, &a);
        if (r <= 0)
                return r;
        if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
                return -errno;
        s->last_syn = now_mono();
        *ret_fd = TAKE_FD(fd);
        return 1;
}

/* No more sockets or ports at the moment. With some of our own open this is how many there can be;
 * with none it may pass. */
static void back_off(PortScan *s, int error)
{
        s->lacking = true;
        if (s->n_open > 0) {
                s->window = s->n_open;
                s->facts.narrow = true;
                return;
        }
        if (++s->n_lacks >= LACK_TRIES)
                s->facts.trouble = error;
}

/* The timer for what comes next: the oldest socket is given up, or a lack may be over. */
static void arm(PortScan *s)
{
        usec_t wait = s->state == SCAN_ALONE ? ALONE_WAIT : s->wait;
        while (s->oldest < s->next && s->tries[s->oldest].fd < 0)
                s->oldest++;
        if (s->oldest < s->next)
                set_timer(s, usec_add(s->tries[s->oldest].begin, wait));
        else if (s->lacking)
                set_timer(s, usec_add(now_mono(), LACK_PAUSE));
        bool sends = (s->state == SCAN_ROUND || s->state == SCAN_ALONE) && s->next < s->n_tries &&
                     s->n_open < s->window && !s->lacking;
        (void)sd_event_source_set_enabled(s->send_defer, sends ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void start_move(PortScan *s);

/* After every step: the round is over, or goes on. */
static void go_on(PortScan *s)
{
        if (s->facts.trouble) {
                finish(s, true);
                return;
        }
        arm(s);
        if ((s->state == SCAN_ROUND || s->state == SCAN_ALONE) && s->next == s->n_tries &&
            s->n_open == 0)
                start_move(s);
}

static void send_some(PortScan *s)
{
        for (unsigned k = 0; k < CHUNK && s->next < s->n_tries && s->n_open < s->window; k++) {
                Try *t = &s->tries[s->next];
                int r = begin_try(s, t->port, s->next, &t->fd);
                if (r < 0) {
                        back_off(s, -r);
                        return;
                }
                s->next++;
                s->n_lacks = 0;
                if (r == 0)
                        continue;
                t->begin = s->last_syn;
                s->n_open++;
        }
}

static int on_send(sd_event_source *source, void *userdata)
{
        PortScan *s = userdata;
        send_some(s);
        take_answers(s);
        go_on(s);
        return 0;
}

static int on_epoll_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        PortScan *s = userdata;
        take_answers(s);
        go_on(s);
        return 0;
}

/* Some of what is silent, with sockets that stay open until the kernel has repeated the SYN. */
static void start_witnesses(PortScan *s)
{
        size_t want = MIN(s->n_tries, (size_t)PORT_WITNESSES);

        s->witnessed = true;
        if (port_witnesses_begin(&s->witnesses) < 0)
                return;
        for (size_t i = 0; i < want; i++) {
                uint32_t port = s->tries[s->n_tries * i / want].port;
                int fd = -EBADF;
                if (begin_try(s, port, s->witnesses.n | WITNESS_FLAG, &fd) > 0)
                        port_witnesses_add(&s->witnesses, port, fd);
        }
}

static void hear_witnesses(PortScan *s)
{
        PortScanFacts *f = &s->facts;
        f->retrans_known = port_witnesses_hear(&s->witnesses, &f->retrans, &f->retrans_fail) >= 0 &&
                           f->retrans > 0;
}

/* --- moves --------------------------------------------------------------------------------------
 */

static void load_tries(PortScan *s, size_t n)
{
        s->n_tries = n;
        s->next = s->oldest = 0;
        for (size_t i = 0; i < n; i++)
                s->tries[i] = (Try){.port = s->targets[i], .fd = -EBADF};
}

static void end_scan(PortScan *s)
{
        usec_t end = port_witnesses_end(&s->witnesses);

        if (port_witnesses_silent(&s->witnesses) && now_mono() < end &&
            scan_set_state(s, SCAN_WITNESS) >= 0) {
                set_timer(s, end);
                return;
        }
        hear_witnesses(s);
        finish(s, false);
}

static void start_move(PortScan *s)
{
        size_t n;

        switch (port_rounds_next(&s->rounds, s->targets, &n)) {
        case PORT_MOVE_ROUND:
                if (scan_set_state(s, SCAN_ROUND) < 0)
                        return;
                load_tries(s, n);
                if (s->rounds.flooded)
                        s->window = s->window_max = MIN(s->window_max, (size_t)WINDOW_SLOW);
                if (s->rounds.n_rounds > 1 && !s->witnessed && !s->rounds.told)
                        start_witnesses(s);
                arm(s);
                return;
        case PORT_MOVE_CALM:
                if (scan_set_state(s, SCAN_CALM) < 0)
                        return;
                load_tries(s, n);
                s->n_alone = 0;
                set_timer(s, usec_add(s->last_syn, CALM));
                return;
        default:
                end_scan(s);
                return;
        }
}

/* The oldest sockets have had their time. */
static void give_up_oldest(PortScan *s, usec_t wait)
{
        usec_t now = now_mono();
        for (; s->oldest < s->next; s->oldest++) {
                Try *t = &s->tries[s->oldest];
                if (t->fd < 0)
                        continue;
                if (usec_add(t->begin, wait) > now)
                        return;
                end_try(s, t);
                port_rounds_silence(&s->rounds, t->port, s->state == SCAN_ALONE);
        }
}

static int on_step_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        PortScan *s = userdata;

        take_answers(s);
        switch (s->state) {
        case SCAN_ROUND:
                s->lacking = s->lacking && s->n_open > 0;
                give_up_oldest(s, s->wait);
                break;
        case SCAN_CALM:
                if (scan_set_state(s, SCAN_ALONE) < 0)
                        return 0;
                break;
        case SCAN_ALONE:
                s->lacking = false;
                if (s->n_open > 0 && ++s->n_alone < ALONE_TRIES) {
                        /* silent so far: once more, with a new socket */
                        end_try(s, &s->tries[0]);
                        s->next = s->oldest = 0;
                } else
                        give_up_oldest(s, ALONE_WAIT);
                break;
        case SCAN_WITNESS:
                end_scan(s);
                return 0;
        default:
                return 0;
        }
        go_on(s);
        return 0;
}

static int on_deadline_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        port_scan_end(userdata);
        return 0;
}

void port_scan_end(PortScan *s)
{
        if (s->state == SCAN_DONE)
                return;
        take_answers(s);
        hear_witnesses(s);
        finish(s, true);
}

/* --- the beginning ------------------------------------------------------------------------------
 */

/* How many sockets there can be at once. */
static size_t find_window(PortScan *s, size_t wanted)
{
        size_t have = fd_room_find(s->epoll, wanted + PORT_WITNESSES, &s->room);

        s->facts.narrow = have < wanted + PORT_WITNESSES;
        return have > PORT_WITNESSES ? have - PORT_WITNESSES : 1;
}

static int add_sources(PortScan *s, usec_t deadline)
{
        int r = sd_event_add_io(s->event, &s->io, s->epoll, EPOLLIN, on_epoll_io, s);
        if (r >= 0)
                r = sd_event_add_defer(s->event, &s->send_defer, on_send, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->send_defer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(s->event, &s->step_timer, CLOCK_MONOTONIC, USEC_INFINITY,
                                      USEC_PER_MSEC, on_step_timer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->step_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(s->event, &s->deadline_timer, CLOCK_MONOTONIC,
                                               deadline, USEC_PER_MSEC, on_deadline_timer, s);
        return r;
}

int port_scan_new(sd_event *event, const PortScanPolicy *policy, port_scan_cb cb, void *userdata,
                  PortScan **ret)
{
        _cleanup_(port_scan_freep) PortScan *s = new0(PortScan, 1);
        if (!s)
                return -ENOMEM;
        *s = (PortScan){
                .event = event,
                .cb = cb,
                .userdata = userdata,
                .policy = {.addr = policy->addr, .from = policy->from},
                .wait = MIN(MAX(4 * policy->rtt, WAIT_MIN), WAIT_MAX),
                .begin = now_mono(),
                .epoll = -EBADF,
        };
        if (policy->interface) {
                if (strlen(policy->interface) >= sizeof(s->interface))
                        return -ENODEV;
                str_copy(s->interface, sizeof(s->interface), policy->interface);
                s->policy.interface = s->interface;
        }
        int r = port_rounds_init(&s->rounds, policy->spans, policy->n_spans);
        if (r < 0)
                return r;
        s->targets = new0(uint32_t, s->rounds.n);
        s->tries = new0(Try, s->rounds.n);
        if (!s->targets || !s->tries)
                return -ENOMEM;
        s->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (s->epoll < 0)
                return -errno;
        s->window_max = find_window(s, policy->window > 0 ? MIN((size_t)policy->window, s->rounds.n)
                                                          : s->rounds.n);
        s->window = s->window_max;
        r = add_sources(s, policy->deadline ? policy->deadline : DEADLINE_DEFAULT);
        if (r < 0)
                return r;
        start_move(s);
        *ret = TAKE_PTR(s);
        return 0;
}
