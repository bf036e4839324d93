/* Connecting back: whom a head may be made to connect to, how often, and what becomes of each try.
 */
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "reflect/reflector.h"
#include "sys/mac.h"

static Addr addr(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

/* --- rules --------------------------------------------------------------------------------------
 */

static const BackPolicy plan = {
        .ports = {{6380, 6385}, {10002, 19999}},
        .n_ports = 2,
        .claimed = true,
};

static int own_10_0_0_1(const Addr *a)
{
        Addr own = addr("10.0.0.1");
        return addr_equal(a, &own);
}

static void test_addresses(void **state)
{
        static const struct {
                const char *addr;
                BackVeto veto;
        } rows[] = {
                {"10.0.0.2", BACK_MAY},
                {"10.9.9.9", BACK_MAY}, /* claimed */
                {"fd00::9", BACK_MAY},
                {"127.0.0.1", BACK_VETO_LOOPBACK},
                {"127.9.9.9", BACK_VETO_LOOPBACK},
                {"::1", BACK_VETO_LOOPBACK},
                {"0.0.0.0", BACK_VETO_UNSET},
                {"0.1.2.3", BACK_VETO_UNSET},
                {"::", BACK_VETO_UNSET},
                {"255.255.255.255", BACK_VETO_UNSET},
                {"240.0.0.1", BACK_VETO_UNSET},
                {"224.0.0.251", BACK_VETO_MULTICAST},
                {"ff02::1", BACK_VETO_MULTICAST},
                {"169.254.169.254", BACK_VETO_LINK_LOCAL},
                {"fe80::1", BACK_VETO_LINK_LOCAL},
                {"10.0.0.1", BACK_VETO_OWN},
        };
        Addr peer = addr("10.0.0.2"), far = addr("10.9.9.9"), none = {0};
        BackPolicy strict = plan;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Addr a = addr(rows[i].addr);
                if (back_veto_addr(&plan, &peer, &a, own_10_0_0_1(&a)) != rows[i].veto)
                        fail_msg("%s: %s", rows[i].addr,
                                 back_veto_to_string(
                                         back_veto_addr(&plan, &peer, &a, own_10_0_0_1(&a))));
        }
        assert_int_equal(back_veto_addr(&plan, &peer, &none, false), BACK_VETO_UNSET);
        strict.claimed = false;
        assert_int_equal(back_veto_addr(&strict, &peer, &far, false), BACK_VETO_CLAIMED);
        assert_int_equal(back_veto_addr(&strict, &peer, &peer, false), BACK_MAY);
        /* the peer itself may be link-local: its socket has the link */
        Addr near = addr("fe80::1");
        assert_int_equal(back_veto_addr(&strict, &near, &near, false), BACK_MAY);
        for (BackVeto v = 0; v < _BACK_VETO_MAX; v++)
                assert_int_equal(back_veto_from_string(back_veto_to_string(v)), v);
}

/* What a certificate vouches for, and nothing else: not even where the asker comes from. */
static void test_listed(void **state)
{
        Addr peer = addr("192.0.2.1"), got[BACK_ADDRS_MAX];
        const Addr own[] = {addr("10.0.0.2"), addr("127.0.0.1"), addr("10.0.0.1")};
        BackPolicy listed = plan, nothing = plan;
        ReflectRequest q = {.n_claimed = 3};
        BackVeto veto;

        listed.only = nothing.only = own;
        listed.n_only = ELEMENTSOF(own);
        q.claimed[0] = addr("10.0.0.3");
        q.claimed[1] = addr("::ffff:10.0.0.2");
        q.claimed[2] =
                addr("127.0.0.1"); /* no certificate makes a loopback address one of others */
        assert_int_equal(back_addrs(&listed, &q, &peer, own_10_0_0_1, got, &veto), 1);
        assert_true(addr_equal(&got[0], &own[0]));
        assert_int_equal(veto, BACK_VETO_OTHERS);
        assert_int_equal(back_veto_addr(&listed, &peer, &own[2], true), BACK_VETO_OWN);
        assert_int_equal(back_addrs(&nothing, &q, &own[0], own_10_0_0_1, got, &veto), 0);
}

static void test_ports(void **state)
{
        static const uint16_t good[] = {6380, 6385, 10002, 15000, 19999};
        static const uint16_t bad[] = {0, 1, 22, 6379, 6386, 10001, 20000, 65535};

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_int_equal(back_veto_port(&plan, good[i]), BACK_MAY);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(back_veto_port(&plan, bad[i]), BACK_VETO_PORT);
}

static void test_address_list(void **state)
{
        Addr got[BACK_ADDRS_MAX], peer = addr("10.0.0.2");
        ReflectRequest q = {.n_claimed = CLAIMED_MAX};
        BackVeto veto;

        /* the peer first; each once, whatever it is dressed in; what may not be is left out */
        q.claimed[0] = addr("::ffff:10.0.0.2");
        q.claimed[1] = addr("::ffff:127.0.0.1");
        q.claimed[2] = addr("10.0.0.3");
        q.claimed[3] = addr("10.0.0.1");
        for (size_t i = 4; i < CLAIMED_MAX; i++)
                q.claimed[i] = addr("10.0.0.3");
        peer.port = 40000;
        assert_int_equal(back_addrs(&plan, &q, &peer, own_10_0_0_1, got, &veto), 2);
        assert_true(addr_equal(&got[0], &peer));
        assert_int_equal(got[0].port, 0);
        assert_true(addr_equal(&got[1], &q.claimed[2]));
        assert_int_equal(veto, BACK_VETO_LOOPBACK);

        /* as many as can be said */
        for (size_t i = 0; i < CLAIMED_MAX; i++) {
                q.claimed[i] = addr("10.1.0.0");
                q.claimed[i].in.s_addr |= htonl((uint32_t)i + 1);
        }
        assert_int_equal(back_addrs(&plan, &q, &peer, own_10_0_0_1, got, &veto), BACK_ADDRS_MAX);
        assert_int_equal(veto, BACK_MAY);

        /* asked by ourselves */
        q.n_claimed = 0;
        peer = addr("10.0.0.1");
        assert_int_equal(back_addrs(&plan, &q, &peer, own_10_0_0_1, got, &veto), 0);
        assert_int_equal(veto, BACK_VETO_OWN);
}

static void test_budget(void **state)
{
        BackBudget b = {0};
        usec_t now = 5 * USEC_PER_SEC;

        for (unsigned i = 0; i < BACK_PER_SECOND; i++)
                assert_int_equal(back_budget_take(&b, now + i), 0);
        /* the fifty-first waits until a second after the first */
        assert_int_equal(back_budget_take(&b, now + 100), USEC_PER_SEC - 100);
        assert_int_equal(back_budget_take(&b, now + USEC_PER_SEC - 1), 1);
        assert_int_equal(back_budget_take(&b, now + USEC_PER_SEC), 0);
        assert_int_equal(back_budget_take(&b, now + USEC_PER_SEC), 1);
}

/* --- tries --------------------------------------------------------------------------------------
 */

typedef enum Manner {
        SAYS_NONCE,
        SAYS_MORE, /* the nonce and then some */
        SAYS_OTHER,
        SAYS_HALF,   /* and closes */
        SAYS_SLOWLY, /* the nonce in two parts */
        CLOSES,
        IS_MUTE,
        IS_FULL, /* its queue is: SYNs are dropped */
} Manner;

typedef struct Peer {
        Manner manner;
        int fd, client; /* client: fills the queue */
        int accepted[16];
        unsigned n_accepted;
        sd_event_source *io;
        Addr addr;
        const uint8_t *nonce;
} Peer;

typedef struct World {
        sd_event *event;
        Peer peers[BACK_TRIES_MAX];
        size_t n_peers;
        BackPolicy policy;
        BackBudget budget;
        ReflectRequest q;
        BackTry tries[BACK_TRIES_MAX];
        size_t n_tries;
        bool done;
} World;

static int on_peer(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Peer *p = userdata;
        uint8_t other[REFLECT_NONCE_SIZE] = "HTTP/1.1 400 Bad Request\r\n\r\n";

        int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(c >= 0);
        switch (p->manner) {
        case SAYS_NONCE:
        case SAYS_MORE:
                assert_int_equal(send(c, p->nonce, REFLECT_NONCE_SIZE, MSG_MORE),
                                 REFLECT_NONCE_SIZE);
                if (p->manner == SAYS_MORE)
                        assert_int_equal(send(c, "x", 1, 0), 1);
                break;
        case SAYS_SLOWLY:
                assert_int_equal(send(c, p->nonce, 10, 0), 10);
                assert_int_equal(send(c, p->nonce + 10, REFLECT_NONCE_SIZE - 10, 0),
                                 REFLECT_NONCE_SIZE - 10);
                break;
        case SAYS_OTHER:
                assert_int_equal(send(c, other, sizeof(other), 0), sizeof(other));
                break;
        case SAYS_HALF:
                assert_int_equal(send(c, p->nonce, 16, 0), 16);
                break;
        case IS_MUTE:
                assert_true(p->n_accepted < ELEMENTSOF(p->accepted));
                p->accepted[p->n_accepted++] = c;
                return 0;
        default:
                break;
        }
        close(c);
        return 0;
}

static Addr peer_add(World *w, Manner manner)
{
        Peer *p = &w->peers[w->n_peers++];
        SockAddr sa;

        *p = (Peer){.manner = manner, .client = -EBADF, .nonce = w->q.nonce};
        p->addr = addr("127.0.0.1");
        p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(p->fd >= 0);
        socklen_t len = addr_to_sockaddr(&p->addr, &sa);
        assert_int_equal(bind(p->fd, &sa.sa, len), 0);
        assert_int_equal(listen(p->fd, manner == IS_FULL ? 0 : 16), 0);
        assert_int_equal(getsockname(p->fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, &p->addr), 0);
        if (manner == IS_FULL) {
                p->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(p->client, &sa.sa, len), 0);
        } else
                assert_true(sd_event_add_io(w->event, &p->io, p->fd, EPOLLIN, on_peer, p) >= 0);
        return p->addr;
}

static void ask_port(World *w, uint16_t port, bool nonce)
{
        w->q.back[w->q.n_back++] = (ReflectBackPort){.port = port, .nonce = nonce};
}

static int setup(void **state)
{
        World *w = new0(World, 1);
        if (!w || sd_event_new(&w->event) < 0)
                return -1;
        /* the loop's descriptor for timers is there before any is counted */
        sd_event_source *timer = NULL;
        assert_true(sd_event_add_time_relative(w->event, &timer, CLOCK_MONOTONIC, USEC_PER_MIN, 0,
                                               NULL, NULL) >= 0);
        sd_event_source_disable_unref(timer);
        w->policy = (BackPolicy){.ports = {{1, 65535}}, .n_ports = 1, .own = true};
        w->q.kind = REFLECT_BACK;
        w->q.has_nonce = true;
        assert_int_equal(random_bytes(w->q.nonce, sizeof(w->q.nonce)), 0);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;

        for (size_t i = 0; i < w->n_peers; i++) {
                Peer *p = &w->peers[i];
                sd_event_source_disable_unref(p->io);
                safe_close(p->fd);
                safe_close(p->client);
                for (unsigned k = 0; k < p->n_accepted; k++)
                        safe_close(p->accepted[k]);
        }
        sd_event_unref(w->event);
        free(w);
        return 0;
}

static void on_done(Back *b, const BackTry *tries, size_t n_tries, void *userdata)
{
        World *w = userdata;

        assert_false(w->done);
        memcpy(w->tries, tries, n_tries * sizeof(*tries));
        w->n_tries = n_tries;
        w->done = true;
        back_free(b);
}

static unsigned n_sockets(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

/* Returns how many descriptors there were at most while it ran, over those before. */
static unsigned run(World *w, const Addr *addrs, size_t n_addrs)
{
        unsigned before = n_sockets(), most = before;
        usec_t end = now_mono() + 20 * USEC_PER_SEC;
        Back *b;

        w->done = false;
        assert_int_equal(back_new(w->event, &w->policy, &w->budget, &w->q, addrs, n_addrs, 0,
                                  on_done, w, &b),
                         0);
        assert_false(w->done);
        while (!w->done && now_mono() < end) {
                assert_true(sd_event_run(w->event, USEC_PER_SEC) >= 0);
                most = MAX(most, n_sockets());
        }
        assert_true(w->done);
        return most - before;
}

static void test_manners(void **state)
{
        static const struct {
                Manner manner;
                bool nonce;
                BackResult result;
        } rows[] = {
                {SAYS_NONCE, true, BACK_NONCE_OK},   {SAYS_SLOWLY, true, BACK_NONCE_OK},
                {SAYS_MORE, true, BACK_WRONG_NONCE}, {SAYS_OTHER, true, BACK_WRONG_NONCE},
                {SAYS_HALF, true, BACK_WRONG_NONCE}, {CLOSES, true, BACK_OPEN},
                {IS_MUTE, true, BACK_OPEN},          {SAYS_OTHER, false, BACK_OPEN},
                {IS_MUTE, false, BACK_OPEN},
        };
        World *w = *state;
        Addr a = addr("127.0.0.1");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ask_port(w, peer_add(w, rows[i].manner).port, rows[i].nonce);
        /* a port that was just free */
        uint16_t closed = peer_add(w, IS_MUTE).port;
        w->peers[w->n_peers - 1].io = sd_event_source_disable_unref(w->peers[w->n_peers - 1].io);
        w->peers[w->n_peers - 1].fd = safe_close(w->peers[w->n_peers - 1].fd);
        ask_port(w, closed, true);

        (void)run(w, &a, 1);
        assert_int_equal(w->n_tries, ELEMENTSOF(rows) + 1);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_true(addr_equal(&w->tries[i].addr, &a));
                assert_int_equal(w->tries[i].addr.port, w->q.back[i].port);
                if (w->tries[i].result != rows[i].result)
                        fail_msg("row %zu: %s", i, back_result_to_string(w->tries[i].result));
        }
        assert_int_equal(w->tries[ELEMENTSOF(rows)].result, BACK_REFUSED);
        assert_false(w->tries[ELEMENTSOF(rows)].icmp.seen);
}

/* More silent ports than may be in flight; each is tried again before it counts as silent. */
static void test_silent(void **state)
{
        World *w = *state;
        Addr a = addr("127.0.0.1");

        for (unsigned i = 0; i < BACK_IN_FLIGHT_MAX + 4; i++)
                ask_port(w, peer_add(w, IS_FULL).port, false);
        usec_t begin = now_mono();
        unsigned most = run(w, &a, 1);
        assert_true(most >= 2 && most <= BACK_IN_FLIGHT_MAX);
        assert_int_equal(w->n_tries, BACK_IN_FLIGHT_MAX + 4);
        for (size_t i = 0; i < w->n_tries; i++)
                assert_int_equal(w->tries[i].result, BACK_SILENT);
        /* two batches of 400 ms, and of eight of them two more */
        assert_true(now_mono() - begin >= 1500 * USEC_PER_MSEC);
}

/* All that may be tried, and all silent: the test ends in time, and what was not tried long enough
 * is not said to be silent. */
static void test_deadline(void **state)
{
        World *w = *state;
        Addr a = addr("127.0.0.1");
        unsigned n[_BACK_RESULT_MAX] = {0};

        for (unsigned i = 0; i < BACK_TRIES_MAX; i++)
                ask_port(w, peer_add(w, IS_FULL).port, false);
        usec_t begin = now_mono();
        (void)run(w, &a, 1);
        assert_true(now_mono() - begin >= BACK_TEST_MAX);
        assert_int_equal(w->n_tries, BACK_TRIES_MAX);
        for (size_t i = 0; i < w->n_tries; i++)
                n[w->tries[i].result]++;
        assert_int_equal(n[BACK_SILENT] + n[BACK_NOT_TRIED], BACK_TRIES_MAX);
        assert_true(n[BACK_SILENT] >= 2 * BACK_IN_FLIGHT_MAX && n[BACK_NOT_TRIED] > 0);
}

/* Addresses times ports are more than a test may have. */
static void test_bound(void **state)
{
        World *w = *state;
        Addr addrs[BACK_ADDRS_MAX];
        uint16_t port = peer_add(w, SAYS_NONCE).port;

        for (unsigned i = 0; i < BACK_ADDRS_MAX; i++) {
                addrs[i] = addr("127.0.0.1");
                addrs[i].in.s_addr = htonl(0x7f000001 + i);
        }
        for (unsigned i = 0; i < BACK_TRIES_MAX; i++)
                ask_port(w, port, true);
        usec_t begin = now_mono();
        (void)run(w, addrs, BACK_ADDRS_MAX);
        assert_int_equal(w->n_tries, BACK_TRIES_MAX);
        for (size_t i = 0; i < w->n_tries; i++) {
                assert_true(addr_equal(&w->tries[i].addr, &addrs[0]));
                assert_int_equal(w->tries[i].result, BACK_NONCE_OK);
        }
        /* fifty in the first second, the rest in the next one */
        assert_true(now_mono() - begin >= USEC_PER_SEC);
}

static void test_forbidden_port(void **state)
{
        World *w = *state;
        Addr a = addr("127.0.0.1");
        uint16_t port = peer_add(w, SAYS_NONCE).port;

        w->policy.ports[0] = (PortSpan){port, port};
        ask_port(w, port, true);
        ask_port(w, port == 1 ? 2 : (uint16_t)(port - 1), true);
        (void)run(w, &a, 1);
        assert_int_equal(w->tries[0].result, BACK_NONCE_OK);
        assert_int_equal(w->tries[1].result, BACK_NOT_TRIED);
}

/* No way from here: nothing was sent. */
static void test_no_way(void **state)
{
        World *w = *state;
        Addr a = addr("fe80::1"); /* of no link */

        ask_port(w, 6380, false);
        (void)run(w, &a, 1);
        assert_int_equal(w->tries[0].result, BACK_NO_WAY);
        assert_true(w->tries[0].error > 0);
}

/* Freed while tries wait, connect and read. */
static void test_free_early(void **state)
{
        World *w = *state;
        Addr a = addr("127.0.0.1");
        unsigned before = n_sockets();
        Back *b;

        for (unsigned i = 0; i < 12; i++)
                ask_port(w, peer_add(w, i % 2 ? IS_FULL : IS_MUTE).port, true);
        before = n_sockets();
        assert_int_equal(
                back_new(w->event, &w->policy, &w->budget, &w->q, &a, 1, 0, on_done, w, &b), 0);
        while (w->peers[0].n_accepted == 0)
                assert_true(sd_event_run(w->event, USEC_PER_SEC) >= 0);
        b = back_free(b);
        unsigned accepted = 0;
        for (size_t i = 0; i < w->n_peers; i++)
                accepted += w->peers[i].n_accepted;
        assert_int_equal(n_sockets(), before + accepted);
        assert_false(w->done);
}

/* --- ranges -------------------------------------------------------------------------------------
 */

static void on_range(BackRangeTest *t, const BackTry *tries, size_t n_tries, void *userdata)
{
        World *w = userdata;

        assert_false(w->done);
        memcpy(w->tries, tries, n_tries * sizeof(*tries));
        w->n_tries = n_tries;
        w->done = true;
        back_range_free(t);
}

static void test_range(void **state)
{
        World *w = *state;
        Addr a = addr("127.0.0.1");
        uint16_t open = peer_add(w, IS_MUTE).port;
        usec_t end = now_mono() + 20 * USEC_PER_SEC;
        BackRangeTest *t;

        /* of what is asked for, what the plan has: one port that is open */
        w->policy.ports[0] = (PortSpan){open, open};
        assert_int_equal(back_range_new(w->event, &w->policy, &a, 1, 65535, 0, on_range, w, &t), 0);
        while (!w->done && now_mono() < end)
                assert_true(sd_event_run(w->event, USEC_PER_SEC) >= 0);
        assert_true(w->done);
        assert_int_equal(w->n_tries, 1);
        assert_int_equal(w->tries[0].result, BACK_OPEN);
        assert_int_equal(w->tries[0].addr.port, open);
        assert_int_equal(w->tries[0].last_port, 0);

        assert_int_equal(back_range_new(w->event, &w->policy, &a, (uint16_t)(open + 1), 65535, 0,
                                        on_range, w, &t),
                         -EINVAL);
}

static void test_range_fold(void **state)
{
        static PortResult results[1000];
        BackTry tries[BACK_TRIES_MAX];
        Addr a = addr("10.0.0.2");

        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                results[i] = (PortResult){.port = (uint16_t)(10000 + i), .state = PORT_SILENT};
        assert_int_equal(back_range_fold(&a, results, ELEMENTSOF(results), tries), 1);
        assert_int_equal(tries[0].result, BACK_SILENT);
        assert_int_equal(tries[0].addr.port, 10000);
        assert_int_equal(tries[0].last_port, 10999);

        /* every other one open: one way, open */
        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                results[i].state = i % 2 ? PORT_OPEN : PORT_REFUSED;
        assert_int_equal(back_range_fold(&a, results, ELEMENTSOF(results), tries), 1);
        assert_int_equal(tries[0].result, BACK_OPEN);
        assert_int_equal(tries[0].last_port, 10999);

        /* every other one silent: more than can be said */
        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                results[i].state = i % 2 ? PORT_OPEN : PORT_SILENT;
        assert_int_equal(back_range_fold(&a, results, ELEMENTSOF(results), tries), BACK_TRIES_MAX);
        assert_int_equal(tries[0].result, BACK_SILENT);
        assert_int_equal(tries[BACK_TRIES_MAX - 1].result, BACK_NOT_TRIED);
        assert_int_equal(tries[BACK_TRIES_MAX - 1].addr.port, 10000 + BACK_TRIES_MAX - 1);
        assert_int_equal(tries[BACK_TRIES_MAX - 1].last_port, 10999);
}

/* --- the reflector ------------------------------------------------------------------------------
 */

static void on_no_reply(ReflectAsker *a, const ReflectReply *p, void *userdata)
{
        fail_msg("no answer was due");
}

static Reflector *reflector(World *w)
{
        ReflectPolicy policy = {.back = w->policy};
        ReflectorOps ops = {0};
        Reflector *r;

        assert_int_equal(reflector_new(w->event, &policy, &ops, NULL, &r), 0);
        return r;
}

static ReflectAsker *asker(Reflector *r, uint32_t peer)
{
        ViewEnds ends = {.observed = {.family = AF_INET, .in.s_addr = htonl(peer), .port = 4},
                         .local = addr("127.0.0.1")};
        ReflectAsker *a;

        assert_int_equal(reflect_asker_new(r, &ends, 0, on_no_reply, NULL, &a), 0);
        return a;
}

static void test_rate(void **state)
{
        World *w = *state;
        Reflector *r = reflector(w);
        ReflectReply p;

        w->q.version = REFLECT_VERSION;
        ask_port(w, 6380, true);
        ReflectAsker *a = asker(r, 0x7f000009), *b = asker(r, 0x7f000009),
                     *c = asker(r, 0x7f00000a);
        assert_int_equal(reflect_asker_ask(a, &w->q, 1, &p), 0);
        assert_true(reflect_asker_is_busy(a));
        /* one at a time, one in ten seconds a machine, whichever connection asks */
        assert_int_equal(reflect_asker_ask(a, &w->q, 1, &p), 1);
        assert_int_equal(p.refusal, REFLECT_BUSY);
        assert_int_equal(reflect_asker_ask(b, &w->q, 1, &p), 1);
        assert_int_equal(p.refusal, REFLECT_RATE);
        assert_true(p.retry > 9 * USEC_PER_SEC && p.retry <= BACK_INTERVAL);
        assert_true(strlen(p.text) > 10);
        assert_int_equal(reflect_asker_ask(c, &w->q, 1, &p), 0);
        reflect_asker_free(a);
        reflect_asker_free(b);
        reflect_asker_free(c);
        reflector_free(r);
}

static void test_peers(void **state)
{
        World *w = *state;
        Reflector *r = reflector(w);
        ReflectAsker *running[REFLECT_TESTS_MAX], *a;
        ReflectReply p;

        w->q.version = REFLECT_VERSION;
        ask_port(w, 6380, true);
        /* so many at a time */
        for (unsigned i = 0; i < REFLECT_TESTS_MAX; i++) {
                running[i] = asker(r, 0x7f000100 + i);
                assert_int_equal(reflect_asker_ask(running[i], &w->q, 1, &p), 0);
        }
        a = asker(r, 0x7f000200);
        assert_int_equal(reflect_asker_ask(a, &w->q, 1, &p), 1);
        assert_int_equal(p.refusal, REFLECT_BUSY);
        reflect_asker_free(a);
        for (unsigned i = 0; i < REFLECT_TESTS_MAX; i++)
                reflect_asker_free(running[i]);
        /* so many machines are remembered, and none is forgotten before its time */
        for (unsigned i = REFLECT_TESTS_MAX; i < REFLECT_PEERS_MAX; i++) {
                a = asker(r, 0x7f000100 + i);
                assert_int_equal(reflect_asker_ask(a, &w->q, 1, &p), 0);
                reflect_asker_free(a);
        }
        a = asker(r, 0x7f000100 + REFLECT_PEERS_MAX);
        assert_int_equal(reflect_asker_ask(a, &w->q, 1, &p), 1);
        assert_int_equal(p.refusal, REFLECT_BUSY);
        reflect_asker_free(a);
        a = asker(r, 0x7f000100);
        assert_int_equal(reflect_asker_ask(a, &w->q, 1, &p), 1);
        assert_int_equal(p.refusal, REFLECT_RATE);
        reflect_asker_free(a);
        reflector_free(r);
}

static void refused(Reflector *r, uint32_t peer, const ReflectRequest *q, ReflectRefusal why,
                    const char *words)
{
        ReflectAsker *a = asker(r, peer);
        ReflectReply p;

        assert_int_equal(reflect_asker_ask(a, q, 7, &p), 1);
        assert_int_equal(p.refusal, why);
        if (!strstr(p.text, words))
                fail_msg("\"%s\" has no \"%s\"", p.text, words);
        assert_int_equal(p.t2_usec, 7);
        reflect_asker_free(a);
}

static void test_refusals(void **state)
{
        World *w = *state;
        ReflectRequest q = w->q;

        w->policy.own = false;
        w->policy.ports[0] = (PortSpan){6380, 6385};
        Reflector *r = reflector(w);
        q.version = REFLECT_VERSION;
        refused(r, 0x0a000002, &q, REFLECT_BAD, "wants ports");
        q.back[0] = (ReflectBackPort){6380, true};
        q.n_back = 1;
        refused(r, 0x7f000001, &q, REFLECT_FORBIDDEN, "127.0.0.1 is a loopback address");
        refused(r, 0xe00000fb, &q, REFLECT_FORBIDDEN, "multicast");
        q.has_nonce = false;
        refused(r, 0x0a000002, &q, REFLECT_BAD, "nonce");
        q.has_nonce = true;
        q.back[0].port = 22;
        refused(r, 0x0a000002, &q, REFLECT_FORBIDDEN, "port 22 is no port of the plan");
        q.n_back = 0;
        q.back_first = 1;
        q.back_last = 65535;
        refused(r, 0x0a000002, &q, REFLECT_FORBIDDEN, "ranges");
        w->policy.range = true;
        Reflector *generous = reflector(w);
        q.back_last = 6379;
        refused(generous, 0x0a000002, &q, REFLECT_FORBIDDEN, "port 1 is no port of the plan");
        reflector_free(generous);
        q.version = 2;
        refused(r, 0x0a000002, &q, REFLECT_VERSIONS, "version 2");
        q.version = REFLECT_VERSION;
        q.kind = 0;
        refused(r, 0x0a000002, &q, REFLECT_BAD, "unknown");
        reflector_free(r);
}

static void test_views(void **state)
{
        World *w = *state;
        Reflector *r = reflector(w);
        ReflectAsker *a = asker(r, 0x7f000001);
        ReflectRequest q = {.kind = REFLECT_LOOK, .version = REFLECT_VERSION};
        ReflectReply p;

        /* without BEGIN no rise is known */
        assert_int_equal(reflect_asker_ask(a, &q, 1, &p), 1);
        assert_false(p.rise.known || p.port.known);
        q.kind = REFLECT_BEGIN;
        q.port = peer_add(w, IS_FULL).port;
        assert_int_equal(reflect_asker_ask(a, &q, 1, &p), 1);
        assert_int_equal(p.refusal, REFLECT_NONE);
        assert_true(strlen(p.hostname) > 0);
        assert_true(p.port.known && p.port.listening && p.port.loopback_only);
        assert_false(addr_is_set(&p.port.bound)); /* it takes in where the asker arrived */
        assert_int_equal(p.port.queue, 1);
        assert_true(p.route_known);
        assert_int_equal(p.route_error, 0);
        assert_string_equal(p.route_dev, "lo");
        assert_true(p.route_mtu >= 1280);

        /* a SYN that finds the queue full is an overflow */
        SockAddr sa;
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        socklen_t len = addr_to_sockaddr(&w->peers[0].addr, &sa);
        assert_int_equal(connect(fd, &sa.sa, len), -1);
        q = (ReflectRequest){.kind = REFLECT_LOOK, .version = REFLECT_VERSION};
        assert_int_equal(reflect_asker_ask(a, &q, 1, &p), 1);
        assert_true(p.rise.known);
        assert_true(p.rise.listen_overflows >= 1);
        assert_true(p.rise.listen_drops >= p.rise.listen_overflows);
        assert_int_equal(p.port.queue, 1); /* the port of before */

        q = (ReflectRequest){.kind = REFLECT_DOWN, .version = REFLECT_VERSION, .bulk = 1000};
        assert_int_equal(reflect_asker_ask(a, &q, 1, &p), 1);
        assert_int_equal(p.filler, 1000);
        q = (ReflectRequest){.kind = REFLECT_UP, .version = REFLECT_VERSION, .filler = 3000};
        assert_int_equal(reflect_asker_ask(a, &q, 1, &p), 1);
        assert_int_equal(p.received, 3000);
        reflect_asker_free(a);
        reflector_free(r);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_listed),
                cmocka_unit_test(test_ports),
                cmocka_unit_test(test_address_list),
                cmocka_unit_test(test_budget),
                TEST(test_manners),
                TEST(test_silent),
                TEST(test_deadline),
                TEST(test_bound),
                TEST(test_forbidden_port),
                TEST(test_no_way),
                TEST(test_free_early),
                TEST(test_range),
                cmocka_unit_test(test_range_fold),
                TEST(test_rate),
                TEST(test_peers),
                TEST(test_refusals),
                TEST(test_views),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
