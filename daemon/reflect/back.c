/*
 * Every try is one connect, at most BACK_IN_FLIGHT_MAX of them at a time:
 *
 *   WAITING --a place and the budget--> CONNECTING --established, nonce due--> READING --> DONE
 *                                           |                                              ^
 *                                           +-- answered, or silent for a while ----------+
 *
 * Silence is tried again while there are connects left: a lost packet must not look like a
 * firewall. Where an address answers at some ports and not at others, all silent ones are; where it
 * never answers, a few of them stand for the rest.
 */
#include "reflect/back.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/mac.h"
#include "sys/netlink.h"
#include "sys/probe-sock.h"

/* How long a SYN is waited for: three round trips and some, within these. */
#define WAIT_MIN (400 * USEC_PER_MSEC)
#define WAIT_MAX (1200 * USEC_PER_MSEC)
/* How long a nonce is waited for once connected; a lost packet comes again after 200 ms. */
#define NONCE_WAIT (1 * USEC_PER_SEC)
/* Each port is tried this often at most. */
#define ROUNDS 3
/* Of an address that never answered, so many ports are tried again. */
#define SILENT_AGAIN 8
/* Most bytes that are read of whoever answers. */
#define READ_MAX 64

typedef enum TryPhase {
        TRY_WAITING,    /* for its turn in this round */
        TRY_CONNECTING, /* `sock` */
        TRY_READING,    /* `fd`: the nonce is due */
        TRY_DONE,       /* `result` says what came of it */
} TryPhase;

typedef struct Try {
        Back *back; /* weak */
        TryPhase phase;
        size_t addr; /* index into addrs */
        bool nonce;
        unsigned rounds;
        BackTry result;
        usec_t begin;
        ProbeSock *sock;
        int fd;
        sd_event_source *io;
        sd_event_source *timer;
        uint8_t data[READ_MAX];
        size_t n_data;
} Try;

struct Back {
        sd_event *event;    /* weak */
        BackBudget *budget; /* weak */
        uint8_t nonce[REFLECT_NONCE_SIZE];
        usec_t wait;
        Try tries[BACK_TRIES_MAX];
        size_t n_tries;
        size_t n_addrs;
        unsigned in_flight;
        unsigned n_connects;
        unsigned round;
        sd_event_source *pump; /* next step: now, or when the budget allows it */
        sd_event_source *deadline_timer;
        back_cb cb;
        void *userdata;
};

usec_t back_budget_take(BackBudget *b, usec_t now)
{
        usec_t free_at = b->begun[b->next] ? usec_add(b->begun[b->next], USEC_PER_SEC) : 0;

        if (free_at > now)
                return free_at - now;
        b->begun[b->next] = now;
        b->next = (b->next + 1) % BACK_PER_SECOND;
        return 0;
}

/* --- one try ------------------------------------------------------------------------------------
 */

static void try_let_go(Try *t)
{
        t->timer = sd_event_source_disable_unref(t->timer);
        t->io = sd_event_source_disable_unref(t->io);
        t->sock = probe_sock_free(t->sock);
        t->fd = safe_close(t->fd);
}

static void pump_after(Back *b, usec_t delay)
{
        (void)sd_event_source_set_time_relative(b->pump, delay);
        (void)sd_event_source_set_enabled(b->pump, SD_EVENT_ONESHOT);
}

static void try_done(Try *t, BackResult result)
{
        Back *b = t->back;

        assert(t->phase == TRY_CONNECTING || t->phase == TRY_READING);
        t->result.result = result;
        t->result.took = usec_sub(now_mono(), t->begin);
        t->phase = TRY_DONE;
        try_let_go(t);
        b->in_flight--;
        pump_after(b, 0);
}

/* Exactly the nonce and nothing else, as far as we read. */
static void judge_words(Try *t)
{
        bool same = mac_equal(t->data, t->back->nonce, REFLECT_NONCE_SIZE) &&
                    t->n_data == REFLECT_NONCE_SIZE;

        try_done(t, t->n_data == 0 ? BACK_OPEN : same ? BACK_NONCE_OK : BACK_WRONG_NONCE);
}

static int on_try_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Try *t = userdata;
        ssize_t n = recv(fd, t->data + t->n_data, sizeof(t->data) - t->n_data, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0)
                t->n_data += (size_t)n;
        if (n <= 0 || t->n_data >= REFLECT_NONCE_SIZE)
                judge_words(t);
        return 0;
}

static int on_try_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Try *t = userdata;

        if (t->phase == TRY_READING)
                judge_words(t);
        else
                try_done(t, BACK_SILENT);
        return 0;
}

/* An ICMP of our own is our own firewall, or our own neighbour that does not answer. */
static BackResult result_of_failure(Try *t, const ConnectFacts *f)
{
        bool own = f->icmp.seen && netlink_is_own(&f->icmp.from) > 0;

        t->result.icmp = f->icmp;
        if (f->icmp.seen && !own)
                return BACK_REJECTED;
        if (!own && !f->at_once && (f->error == ECONNREFUSED || f->error == ECONNRESET))
                return BACK_REFUSED;
        if (f->error == ETIMEDOUT)
                return BACK_SILENT;
        t->result.error = f->error;
        return BACK_NO_WAY;
}

static void on_try_connect(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        Try *t = userdata;

        if (f->outcome != CONNECT_ESTABLISHED) {
                try_done(t, result_of_failure(t, f));
                return;
        }
        t->fd = probe_sock_take_fd(p);
        if (!t->nonce || t->fd < 0) {
                try_done(t, BACK_OPEN);
                return;
        }
        t->phase = TRY_READING;
        t->sock = probe_sock_free(t->sock);
        (void)sd_event_source_set_time_relative(t->timer, MAX(NONCE_WAIT, t->back->wait));
        if (sd_event_add_io(t->back->event, &t->io, t->fd, EPOLLIN, on_try_io, t) < 0)
                try_done(t, BACK_OPEN);
}

/* A try that cannot begin has a result, too. */
static void try_begin(Try *t)
{
        Back *b = t->back;
        const ConnectPolicy policy = {.addr = t->result.addr, .n_sockets = 1};

        t->phase = TRY_CONNECTING;
        t->rounds++;
        t->begin = now_mono();
        t->result.error = 0;
        t->result.icmp = (IcmpNote){0};
        b->in_flight++;
        b->n_connects++;
        int r = probe_sock_new(b->event, &policy, on_try_connect, t, &t->sock);
        if (r >= 0)
                r = sd_event_add_time_relative(b->event, &t->timer, CLOCK_MONOTONIC, b->wait,
                                               USEC_PER_MSEC, on_try_timer, t);
        /* after we were held up ourselves, what came in meanwhile is looked at first */
        if (r >= 0)
                r = sd_event_source_set_priority(t->timer, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r < 0) {
                t->result.error = -r;
                try_done(t, BACK_NO_WAY);
        }
}

/* --- all of them --------------------------------------------------------------------------------
 */

/* How many silent ports of this address are worth another look. Senders of ICMP ration it, so that
 * beside rejected ports silence says little. */
static unsigned worth_again(const Back *b, size_t addr)
{
        bool answered = false;

        for (size_t i = 0; i < b->n_tries; i++) {
                const Try *t = &b->tries[i];
                if (t->addr != addr || t->phase != TRY_DONE)
                        continue;
                if (t->result.result == BACK_REJECTED)
                        return SILENT_AGAIN;
                answered = answered ||
                           (t->result.result != BACK_NOT_TRIED && t->result.result != BACK_SILENT &&
                            t->result.result != BACK_NO_WAY);
        }
        return answered ? BACK_TRIES_MAX : SILENT_AGAIN;
}

/* Puts what was silent back in line. Returns whether there is anything to do. */
static bool next_round(Back *b)
{
        bool any = false;

        if (++b->round >= ROUNDS)
                return false;
        for (size_t a = 0; a < b->n_addrs; a++) {
                unsigned left = worth_again(b, a);
                for (size_t i = 0; i < b->n_tries && left > 0; i++) {
                        Try *t = &b->tries[i];
                        if (t->addr != a || t->phase != TRY_DONE || t->result.result != BACK_SILENT)
                                continue;
                        t->phase = TRY_WAITING;
                        any = true;
                        left--;
                }
        }
        return any;
}

static Try *next_waiting(Back *b)
{
        for (size_t i = 0; i < b->n_tries; i++)
                if (b->tries[i].phase == TRY_WAITING)
                        return &b->tries[i];
        return NULL;
}

/* The last thing that is done: the owner may free it in there. */
static void finish(Back *b)
{
        BackTry results[BACK_TRIES_MAX];

        b->pump = sd_event_source_disable_unref(b->pump);
        b->deadline_timer = sd_event_source_disable_unref(b->deadline_timer);
        for (size_t i = 0; i < b->n_tries; i++)
                results[i] = b->tries[i].result;
        b->cb(b, results, b->n_tries, b->userdata);
}

/* What is under way ends as it stands: a SYN that was waited for hardly at all says nothing. */
static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
        Back *b = userdata;

        for (size_t i = 0; i < b->n_tries; i++) {
                Try *t = &b->tries[i];
                if (t->phase == TRY_READING)
                        judge_words(t);
                else if (t->phase == TRY_CONNECTING)
                        try_done(t, t->rounds > 1 || usec_sub(now_mono(), t->begin) >= WAIT_MIN
                                            ? BACK_SILENT
                                            : BACK_NOT_TRIED);
        }
        finish(b);
        return 0;
}

static int on_pump(sd_event_source *s, uint64_t usec, void *userdata)
{
        Back *b = userdata;

        for (;;) {
                Try *t = b->n_connects < BACK_TRIES_MAX ? next_waiting(b) : NULL;
                if (!t && b->in_flight > 0)
                        return 0;
                if (!t && (b->n_connects >= BACK_TRIES_MAX || !next_round(b))) {
                        finish(b);
                        return 0;
                }
                if (!t)
                        continue;
                if (b->in_flight >= BACK_IN_FLIGHT_MAX)
                        return 0;
                usec_t delay = back_budget_take(b->budget, now_mono());
                if (delay > 0) {
                        pump_after(b, delay);
                        return 0;
                }
                try_begin(t);
        }
}

static void add_try(Back *b, size_t index, const Addr *addr, const ReflectBackPort *port, bool may)
{
        Try *t = &b->tries[b->n_tries++];

        *t = (Try){
                .back = b,
                .phase = may ? TRY_WAITING : TRY_DONE,
                .addr = index,
                .nonce = port->nonce,
                .result = {.addr = *addr, .result = BACK_NOT_TRIED},
                .fd = -EBADF,
        };
        t->result.addr.port = port->port;
}

int back_new(sd_event *event, const BackPolicy *policy, BackBudget *budget, const ReflectRequest *q,
             const Addr *addrs, size_t n_addrs, usec_t rtt, back_cb cb, void *userdata, Back **ret)
{
        _cleanup_(back_freep) Back *b = new0(Back, 1);
        if (!b)
                return -ENOMEM;
        *b = (Back){
                .event = event,
                .budget = budget,
                .wait = MIN(MAX(3 * rtt + 100 * USEC_PER_MSEC, WAIT_MIN), WAIT_MAX),
                .n_addrs = n_addrs,
                .cb = cb,
                .userdata = userdata,
        };
        memcpy(b->nonce, q->nonce, sizeof(b->nonce));
        for (size_t a = 0; a < n_addrs; a++)
                for (size_t i = 0; i < q->n_back && b->n_tries < BACK_TRIES_MAX; i++)
                        add_try(b, a, &addrs[a], &q->back[i],
                                back_veto_port(policy, q->back[i].port) == BACK_MAY);
        /* never from inside the constructor */
        int r = sd_event_add_time_relative(event, &b->pump, CLOCK_MONOTONIC, 0, USEC_PER_MSEC,
                                           on_pump, b);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &b->deadline_timer, CLOCK_MONOTONIC,
                                               BACK_TEST_MAX, USEC_PER_MSEC, on_deadline, b);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

Back *back_free(Back *b)
{
        if (!b)
                return NULL;
        sd_event_source_disable_unref(b->pump);
        sd_event_source_disable_unref(b->deadline_timer);
        for (size_t i = 0; i < b->n_tries; i++)
                try_let_go(&b->tries[i]);
        free(b);
        return NULL;
}
