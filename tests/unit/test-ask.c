/* The asking side of the two-way test against a real reflector in the same loop, over loopback. */
#include "test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports.h"

#include "base/fd.h"
#include "model/way-back.h"
#include "reflect/ask.h"
#include "reflect/bulk.h"
#include "reflect/code-line.h"
#include "reflect/doors.h"
#include "reflect/heard.h"
#include "reflect/serve.h"
#include "sys/listen.h"

#define MS    USEC_PER_MSEC
#define BOUND (10 * USEC_PER_SEC)

typedef struct World {
        sd_event *event;
        Serve *serve;
        CodeTransport transport;
        Reflection r;
        Ask *ask;
        AskStep ended;
        unsigned n_ended;
        bool serve_over;
} World;

/* Ports of this process. */
#define BLOCK 240
static uint16_t base;
static int lock;

static PortPlan plan(void)
{
        if (base == 0)
                base = (uint16_t)ports_take(PORTS_ASK, 30, BLOCK, 12, &lock);
        return (PortPlan){
                .gcs = base,
                .node_manager = base + 1,
                .object_manager = base + 2,
                .runtime_env_agent = base + 3,
                .dashboard_agent_grpc = base + 4,
                .metrics_export = base + 5,
                .dashboard_agent = base + 6,
                .dashboard_metrics = base + 7,
                .autoscaler_metrics = base + 8,
                .control = base + 9,
                .dashboard = base + 10,
                .client = base + 11,
                .worker_first = base + 20,
                .worker_last = base + BLOCK - 1,
        };
}

static void on_serve_end(Serve *s, ServeEnd why, void *userdata)
{
        ((World *)userdata)->serve_over = true;
}

static uint16_t port_of(int fd)
{
        SockAddr sa;
        socklen_t len = sizeof(sa);
        Addr a;
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, &a), 0);
        return a.port;
}

static void world_init_for(World *w, usec_t interval, usec_t lifetime, bool range)
{
        static const ServeOps ops = {.on_end = on_serve_end};
        PortPlan p = plan();
        ServePolicy policy = {
                .code = {.secret = {1, 2, 3}},
                .lifetime = lifetime,
                .reflect.back = {
                        .claimed = true, .own = true, .range = range, .interval = interval}};
        int fd;

        *w = (World){.transport = {.base = code_transport, .code = policy.code}};
        assert_int_equal(sd_event_new(&w->event), 0);
        policy.reflect.back.n_ports = port_plan_spans(&p, ROLE_WORKER, policy.reflect.back.ports);
        assert_int_equal(tcp_listen(0, 64, &fd), 0);
        w->transport.code.port = port_of(fd);
        assert_int_equal(serve_new(w->event, fd, &policy, &ops, w, &w->serve), 0);
}

static void world_init(World *w, usec_t interval)
{
        world_init_for(w, interval, 0, false);
}

static void world_done(World *w)
{
        ask_free(w->ask);
        serve_free(w->serve);
        sd_event_unref(w->event);
}

static void on_step(Ask *a, AskStep ended, void *userdata)
{
        World *w = userdata;
        w->ended = ended;
        w->n_ended++;
}

static AskRequest request(World *w, const char *addr)
{
        AskRequest q = {.transport = &w->transport.base, .n_addrs = 1, .port = 1, .plan = plan()};
        assert_int_equal(addr_parse(addr, &q.addrs[0]), 0);
        return q;
}

static void wait_step(World *w, AskStep step)
{
        usec_t end = now_mono() + BOUND;
        unsigned n = w->n_ended;
        while (w->n_ended == n && now_mono() < end)
                assert_true(sd_event_run(w->event, 100 * MS) >= 0);
        assert_int_equal(w->n_ended, n + 1);
        assert_int_equal(w->ended, step);
}

static void meet(World *w, const AskRequest *q)
{
        assert_int_equal(ask_new(w->event, q, &w->r, on_step, w, &w->ask), 0);
        assert_true(w->r.asked);
        assert_false(w->r.answered);
        wait_step(w, ASK_MEETING);
}

/* A listener on loopback; the port is free when it returns -EBADF. */
static int listen_on(uint16_t port, uint16_t *ret)
{
        struct sockaddr_in in = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
        assert_int_equal(listen(fd, 8), 0);
        if (ret)
                *ret = port_of(fd);
        return fd;
}

static void test_meet_and_look(void **state)
{
        World w;
        uint16_t port;

        world_init(&w, 1);
        _cleanup_close_ int fd = listen_on(0, &port);
        AskRequest q = request(&w, "127.0.0.1");
        q.port = port;
        meet(&w, &q);
        assert_true(w.r.answered);
        assert_string_equal(w.r.text, "");
        assert_true(addr_equal(&w.r.observed, &w.r.here));
        assert_int_equal(w.r.observed.port, w.r.here.port);
        assert_true(addr_equal(&w.r.local, &w.r.dialled));
        assert_int_equal(w.r.dialled.port, w.transport.code.port);
        assert_true(w.r.clock_known);
        assert_in_range(w.r.clock_offset_usec + 1000000, 900000, 1100000);
        assert_true(w.r.before.known && w.r.before.listening && w.r.before.loopback_only);
        assert_false(w.r.port.known);

        assert_int_equal(ask_look(w.ask), 0);
        assert_int_equal(ask_look(w.ask), -ENOTCONN); /* one thing at a time */
        wait_step(&w, ASK_LOOKING);
        assert_true(w.r.port.known && w.r.port.listening);
        assert_true(w.r.rise.known);
        fd = safe_close(fd);
        assert_int_equal(ask_look(w.ask), 0);
        wait_step(&w, ASK_LOOKING);
        assert_true(w.r.port.known);
        assert_false(w.r.port.listening);
        world_done(&w);
}

static const BackTry *try_at(const Reflection *r, uint16_t port)
{
        for (size_t i = 0; i < r->n_back; i++)
                if (r->back[i].addr.port == port)
                        return &r->back[i];
        return NULL;
}

static void test_back(void **state)
{
        World w;
        WayBack way;

        world_init(&w, 1);
        _cleanup_close_ int busy =
                listen_on(plan().object_manager, NULL); /* Ray is there already */
        AskRequest q = request(&w, "127.0.0.1");
        meet(&w, &q);
        assert_int_equal(ask_back(w.ask, true), 0);
        wait_step(&w, ASK_RETURNING);
        assert_string_equal(w.r.text, "");
        way_back(&w.r, &w.r.observed, &way);
        assert_int_equal(way.tried, w.r.n_back);
        assert_int_equal(way_back_bad(&way), 0);
        assert_int_equal(way.open, 1);
        assert_true(way.nonce > BACK_SAMPLE);
        const BackTry *t = try_at(&w.r, plan().object_manager);
        assert_non_null(t);
        assert_int_equal(t->result, BACK_OPEN);
        assert_false(t->ours);
        assert_non_null(try_at(&w.r, plan().worker_first));
        assert_non_null(try_at(&w.r, plan().worker_last));
        assert_true(w.r.bulk_known && w.r.down_known && w.r.up_known);
        assert_false(w.r.down_stalled || w.r.up_stalled || w.r.down_small || w.r.up_small);
        /* no listener is left, and nothing that would keep Ray from a port */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(plan().node_manager)};
        assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
        safe_close(fd);
        /* and again, on IPv6 */
        AskRequest six = request(&w, "::1");
        w.ask = ask_free(w.ask);
        meet(&w, &six);
        assert_int_equal(ask_back(w.ask, true), 0);
        wait_step(&w, ASK_RETURNING);
        way_back(&w.r, &w.r.observed, &way);
        assert_int_equal(way_back_bad(&way), 0);
        assert_true(way.nonce > BACK_SAMPLE);
        world_done(&w);
}

/* Every port of the workers: the fixed ones as ever, the range in few words. */
static void test_thorough(void **state)
{
        World w;
        WayBack way;
        BackRange ranges[BACK_TRIES_MAX];
        PortPlan p = plan();

        world_init_for(&w, 1, 0, true);
        uint16_t open = p.worker_first + 100;
        _cleanup_close_ int busy = listen_on(open, NULL);
        AskRequest q = request(&w, "127.0.0.1");
        q.thorough = true;
        meet(&w, &q);
        assert_int_equal(ask_back(w.ask, false), 0);
        wait_step(&w, ASK_RETURNING);
        assert_string_equal(w.r.text, "");
        way_back(&w.r, &w.r.observed, &way);
        assert_int_equal(way_back_bad(&way), 0);
        assert_int_equal(way.nonce, 6);
        assert_int_equal(way.open, p.worker_last - p.worker_first + 1);
        size_t n = back_ranges(&w.r, &w.r.observed, NULL, ranges);
        assert_int_equal(n, 4);
        assert_int_equal(ranges[1].first, p.worker_first);
        assert_int_equal(ranges[1].last, open - 1);
        assert_int_equal(ranges[2].first, open);
        assert_int_equal(ranges[2].try->result, BACK_OPEN);
        assert_int_equal(ranges[3].last, p.worker_last);
        /* a second time: nothing of the first is left */
        size_t before = w.r.n_back;
        assert_int_equal(ask_back(w.ask, false), 0);
        wait_step(&w, ASK_RETURNING);
        assert_int_equal(w.r.n_back, before);
        world_done(&w);
}

/* A reflector that nobody started by hand tries no ranges: what it does try is known. */
static void test_thorough_refused(void **state)
{
        World w;
        WayBack way;

        world_init(&w, 1);
        AskRequest q = request(&w, "127.0.0.1");
        q.thorough = true;
        meet(&w, &q);
        assert_int_equal(ask_back(w.ask, false), 0);
        wait_step(&w, ASK_RETURNING);
        assert_non_null(strstr(w.r.text, "whole ranges"));
        way_back(&w.r, &w.r.observed, &way);
        assert_int_equal(way.nonce, 6);
        assert_int_equal(way.tried, 6);
        world_done(&w);
}

/* Other ports than those that were asked for first. */
static void test_other_plan(void **state)
{
        World w;
        PortPlan p = plan();

        world_init(&w, 1);
        AskRequest q = request(&w, "127.0.0.1");
        meet(&w, &q);
        p.object_manager = p.worker_first + 3;
        p.worker_first = p.worker_last;
        ask_set_plan(w.ask, &p);
        assert_int_equal(ask_back(w.ask, false), 0);
        wait_step(&w, ASK_RETURNING);
        assert_int_equal(w.r.n_back, 7);
        const BackTry *t = try_at(&w.r, p.object_manager);
        assert_non_null(t);
        assert_int_equal(t->result, BACK_NONCE_OK);
        world_done(&w);
}

/* Behind a translator, and where Ray announces something else, there are two addresses. */
static void test_claimed(void **state)
{
        World w;
        WayBack way;

        world_init(&w, 1);
        AskRequest q = request(&w, "127.0.0.1");
        assert_int_equal(addr_parse("127.0.0.5", &q.node), 0);
        meet(&w, &q);
        assert_int_equal(ask_back(w.ask, true), 0);
        wait_step(&w, ASK_RETURNING);
        way_back(&w.r, &w.r.observed, &way);
        unsigned n = way.nonce;
        assert_true(n > 0 && n < BACK_SAMPLE + 7);
        way_back(&w.r, &q.node, &way);
        assert_int_equal(way.nonce, n);
        assert_non_null(try_at(&w.r, plan().worker_first));
        assert_non_null(try_at(&w.r, plan().worker_last));
        world_done(&w);
}

static void test_rate(void **state)
{
        World w;

        world_init(&w, 0); /* ten seconds */
        AskRequest q = request(&w, "127.0.0.1");
        meet(&w, &q);
        assert_int_equal(ask_back(w.ask, true), 0);
        wait_step(&w, ASK_RETURNING);
        size_t n = w.r.n_back;
        assert_true(n > 0);
        assert_int_equal(ask_back(w.ask, true), 0);
        wait_step(&w, ASK_RETURNING);
        assert_non_null(strstr(w.r.text, "too soon; again in "));
        world_done(&w);
}

static void test_wrong_code(void **state)
{
        World w;

        world_init(&w, 1);
        w.transport.code.secret[0] ^= 1;
        AskRequest q = request(&w, "127.0.0.1");
        for (unsigned i = 0; i < SERVE_TRIES_MAX; i++) {
                w.ask = ask_free(w.ask);
                meet(&w, &q);
                assert_false(w.r.answered);
                assert_true(w.r.asked);
                if (!strstr(w.r.text, "the code is another one"))
                        fail_msg("%s", w.r.text);
                assert_int_equal(ask_look(w.ask), -ENOTCONN);
                assert_int_equal(ask_back(w.ask, true), -ENOTCONN);
        }
        /* now it is over, with the right code, too */
        w.transport.code.secret[0] ^= 1;
        w.ask = ask_free(w.ask);
        meet(&w, &q);
        assert_false(w.r.answered);
        assert_true(w.serve_over);
        assert_non_null(strstr(w.r.text, "no reflector at 127.0.0.1"));
        world_done(&w);
}

/* The code's time ends under a conversation; then nobody is there any more. */
static void test_expired(void **state)
{
        World w;

        world_init_for(&w, 1, 300 * MS, false);
        AskRequest q = request(&w, "127.0.0.1");
        meet(&w, &q);
        assert_true(w.r.answered);
        while (!w.serve_over || w.n_ended < 2)
                assert_true(sd_event_run(w.event, 100 * MS) >= 0);
        assert_int_equal(w.ended, ASK_MET); /* lost while nothing went on */
        if (!strstr(w.r.text, "expired"))
                fail_msg("%s", w.r.text);
        assert_int_equal(ask_look(w.ask), -ENOTCONN);
        w.ask = ask_free(w.ask);
        meet(&w, &q);
        assert_false(w.r.answered);
        assert_non_null(strstr(w.r.text, "no reflector at 127.0.0.1"));
        world_done(&w);
}

/* The address examined has no reflector, another address of the head has one. */
static void test_other_address(void **state)
{
        World w;

        world_init(&w, 1);
        AskRequest q = request(&w, "127.0.0.1");
        assert_int_equal(addr_parse("::1", &q.addrs[1]), 0);
        q.n_addrs = 2;
        q.addrs[0].in.s_addr = htonl(0x7f000001);
        meet(&w, &q); /* the first is first */
        assert_int_equal(w.r.dialled.family, AF_INET);
        w.ask = ask_free(w.ask);
        q.addrs[0] = (Addr){.family = AF_INET, .in.s_addr = htonl(0xfffffffe)};
        meet(&w, &q); /* no such machine; the kernel says so at once */
        assert_true(w.r.answered);
        assert_int_equal(w.r.dialled.family, AF_INET6);
        assert_string_equal(w.r.text, "");
        world_done(&w);
}

/* Whatever sits on the port, the end comes in time and says what. */
static void check_stranger(World *w, const char *bytes, size_t size, bool hang_up, const char *text)
{
        uint16_t port;
        _cleanup_close_ int fd = listen_on(0, &port);
        AskRequest q = request(w, "127.0.0.1");
        usec_t begin = now_mono();
        _cleanup_close_ int conn = -EBADF;

        w->transport.code.port = port;
        w->ask = ask_free(w->ask);
        assert_int_equal(ask_new(w->event, &q, &w->r, on_step, w, &w->ask), 0);
        conn = accept(fd, NULL, NULL);
        assert_true(conn >= 0);
        assert_int_equal(send(conn, bytes, size, MSG_NOSIGNAL), size);
        if (hang_up)
                conn = safe_close(conn);
        wait_step(w, ASK_MEETING);
        assert_false(w->r.answered);
        if (!strstr(w->r.text, text))
                fail_msg("%s, expected %s", w->r.text, text);
        assert_true(now_mono() - begin < ASK_MEET_TIMEOUT + 500 * MS);
}

static void test_strangers(void **state)
{
        World w;
        uint8_t hello[128] = {0};
        _cleanup_buf_ Buf out = {0};

        world_init(&w, 1);
        check_stranger(&w, "", 0, true, "hung up");
        check_stranger(&w, "", 0, false, "no reflector answers");
        check_stranger(&w, "SSH-2.0-OpenSSH_9.2p1\r\n", 23, false, "is no reflector");
        check_stranger(&w, "\0\0\0\1\2", 5, false, "is no reflector");
        check_stranger(&w, "\177\377\377\377", 4, false, "is no reflector");
        assert_int_equal(reflect_frame_bye(&out, REFLECT_BYE_BUSY), 0);
        check_stranger(&w, (const char *)buf_data(&out), buf_size(&out), true,
                       "the reflector says");
        /* greets, and then does not know the code */
        buf_consume(&out, buf_size(&out));
        assert_int_equal(reflect_frame_hello(&out, hello), 0);
        assert_int_equal(reflect_frame_sealed(&out, 0, hello, "x", 1), 0);
        check_stranger(&w, (const char *)buf_data(&out), buf_size(&out), false,
                       "no reflector answers");
        world_done(&w);
}

static void test_freed_at_any_time(void **state)
{
        for (unsigned n = 0; n < 60; n++) {
                World w;
                world_init(&w, 1);
                AskRequest q = request(&w, "127.0.0.1");
                assert_int_equal(ask_new(w.event, &q, &w.r, on_step, &w, &w.ask), 0);
                for (unsigned i = 0; i < n; i++) {
                        if (w.n_ended == 1 && w.ended == ASK_MEETING && ask_back(w.ask, true) >= 0)
                                w.ended = ASK_LOST;
                        assert_true(sd_event_run(w.event, 5 * MS) >= 0);
                }
                world_done(&w);
        }
}

static void check_clock(Reflection *r, int64_t t2, int64_t t3, bool known, int64_t offset,
                        usec_t error, int line)
{
        ReflectReply p = {.t2_usec = t2, .t3_usec = t3};
        heard_clock(r, &p, 1000000, 1000100);
        if (r->clock_known != known || r->clock_offset_usec != offset || r->clock_error != error)
                fail_msg("line %d: %d %lld %llu", line, r->clock_known,
                         (long long)r->clock_offset_usec, (unsigned long long)r->clock_error);
}

/* The question leaves at 1 s and the answer comes 100 us later. */
static void test_clock(void **state)
{
        Reflection r = {0};

        /* nonsense of a head is no offset */
        check_clock(&r, 0, 0, false, 0, 0, __LINE__);
        check_clock(&r, -5, 5, false, 0, 0, __LINE__);
        check_clock(&r, 2000000, 1000000, false, 0, 0, __LINE__);
        check_clock(&r, 1, INT64_MAX, false, 0, 0, __LINE__);
        check_clock(&r, INT64_MIN, INT64_MAX, false, 0, 0, __LINE__);
        check_clock(&r, 1000000, 1000200, false, 0, 0, __LINE__); /* longer than it all took */

        check_clock(&r, 4000040, 4000060, true, 3000000, 40, __LINE__);
        check_clock(&r, 4000050, 4000050, true, 3000000, 40, __LINE__); /* tells it no better */
        check_clock(&r, 10, 90, true, -1000000, 10, __LINE__);
}

static int connect_to(uint16_t port)
{
        struct sockaddr_in in = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
        return fd;
}

/* Strangers at the doors get the nonce, hold nothing up and are not kept. */
static void test_doors(void **state)
{
        const uint16_t ports[] = {plan().worker_first, plan().worker_last};
        uint8_t nonce[REFLECT_NONCE_SIZE] = {7}, got[64];
        _cleanup_(doors_freep) Doors *doors = NULL;
        int guests[DOORS_GUESTS_MAX + 8];
        sd_event *event;

        assert_int_equal(sd_event_new(&event), 0);
        _cleanup_close_ int busy = listen_on(ports[1], NULL);
        assert_int_equal(doors_open(event, ports, ELEMENTSOF(ports), nonce, &doors), 0);
        assert_true(doors_have(doors, ports[0]));
        assert_false(doors_have(doors, ports[1]));
        for (size_t i = 0; i < ELEMENTSOF(guests); i++) {
                guests[i] = connect_to(ports[0]);
                while (recv(guests[i], got, sizeof(got), MSG_DONTWAIT) < 0)
                        assert_true(sd_event_run(event, 100 * MS) >= 0);
                assert_memory_equal(got, nonce, sizeof(nonce));
        }
        /* beyond the limit the oldest was shown out */
        assert_true(recv(guests[0], got, sizeof(got), MSG_DONTWAIT) <= 0 && errno != EAGAIN);
        ssize_t n = recv(guests[ELEMENTSOF(guests) - 1], got, sizeof(got), MSG_DONTWAIT);
        assert_true(n < 0 && errno == EAGAIN);
        doors = doors_free(doors);
        for (size_t i = 0; i < ELEMENTSOF(guests); i++)
                safe_close(guests[i]);
        safe_close(listen_on(ports[0], NULL));
        sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_meet_and_look), cmocka_unit_test(test_back),
                cmocka_unit_test(test_thorough),      cmocka_unit_test(test_thorough_refused),
                cmocka_unit_test(test_other_plan),    cmocka_unit_test(test_claimed),
                cmocka_unit_test(test_rate),          cmocka_unit_test(test_expired),
                cmocka_unit_test(test_wrong_code),    cmocka_unit_test(test_other_address),
                cmocka_unit_test(test_strangers),     cmocka_unit_test(test_freed_at_any_time),
                cmocka_unit_test(test_clock),         cmocka_unit_test(test_doors),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
