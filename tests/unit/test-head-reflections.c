/* The reflector of the control port: members that ask it, and what it does for them and for nobody
 * else. */
#include "gate-world.h"

#include "base/log.h"
#include "head/reflections.h"
#include "member/address-book.h"
#include "member/link-private.h"
#include "ports.h"
#include "reflect/doors.h"
#include "sys/mac.h"

typedef struct Talkers {
        World w;
        Identity identity;
        Reflections *reflections;
        MemberLink *link;
        ReflectReply reply;
        unsigned replies;
        uint8_t nonce[REFLECT_NONCE_SIZE];
} Talkers;

static Talkers *talkers; /* whom the gate's one userdata does not lead to */

static void on_reflect(Gate *g, const GateMember *m, MemberBytes request, void *userdata)
{
        reflections_request(talkers->reflections, g, m, request);
}

static void on_talker_lost(Gate *g, const GateMember *m, GateLoss why, void *userdata)
{
        reflections_forget(talkers->reflections, m->node);
        on_lost(g, m, why, userdata);
}

static void on_reply(MemberLink *l, MemberBytes reply, void *userdata)
{
        assert_int_equal(reflect_decode_reply(reply.data, reply.size, &talkers->reply), 0);
        talkers->replies++;
}

/* own: connect-backs to this machine, where head and member are one. */
static void open_all(Talkers *t, bool own, uint16_t port)
{
        GateOps ops = gate_ops;
        MemberLinkOps lops = link_ops;
        World *w = &t->w;
        MemberFacts facts = {.name = "w1", .boot_id = "boot"};
        char path[64];
        ReflectPolicy p = {.back = {.ports = {{port, port}}, .n_ports = 1, .own = own}};

        talkers = t;
        member(w, &t->identity);
        gate_free(w->gate);
        ops.on_reflect = on_reflect;
        ops.on_lost = on_talker_lost;
        GatePolicy gp = {.authority = w->m.authority, .db = w->m.db, .cluster = "lab1"};
        assert_int_equal(gate_new(w->event, listen_on(&w->at), &gp, &ops, w, &w->gate), 0);
        assert_int_equal(reflections_new(w->event, &t->reflections), 0);
        reflections_configure(t->reflections, &p);
        path_of(w, path);
        MemberLinkPolicy lp = {.head = w->at, .facts = &facts, .identity = path};
        lops.on_reflect = on_reply;
        assert_int_equal(member_link_new(w->event, &lp, &lops, w, &t->link), 0);
        WAIT(w, w->welcomes == 1 && w->came == 1);
        memset(t->nonce, 7, sizeof(t->nonce));
}

static void close_all(Talkers *t)
{
        member_link_free(t->link);
        reflections_free(t->reflections);
        identity_done(&t->identity);
        world_done(&t->w);
}

static void say(Talkers *t, const ReflectRequest *q)
{
        _cleanup_buf_ Buf out = {0};

        assert_int_equal(reflect_encode_request(&out, q), 0);
        assert_int_equal(member_link_reflect(t->link, buf_data(&out), buf_size(&out)), 0);
}

static void ask(Talkers *t, const ReflectRequest *q)
{
        unsigned n = t->replies;

        say(t, q);
        WAIT(&t->w, t->replies > n);
}

static ReflectRequest back_to(const Talkers *t, uint16_t port)
{
        ReflectRequest q = {.kind = REFLECT_BACK,
                            .has_nonce = true,
                            .back = {{.port = port, .nonce = true}},
                            .n_back = 1};

        memcpy(q.nonce, t->nonce, sizeof(q.nonce));
        return q;
}

/* A port that nobody has, nor will have. */
static uint16_t free_port(void)
{
        static int lock = -EBADF;
        static unsigned ports;

        if (lock < 0)
                ports = ports_take(PORTS_MEMBERS, 100, 8, 7, &lock);
        return (uint16_t)ports;
}

static void test_conversation(void **state)
{
        uint16_t port = free_port();
        _cleanup_(doors_freep) Doors *doors = NULL;
        Talkers t = {0};
        ReflectRequest q = {.kind = REFLECT_BEGIN, .port = port};
        MemberLinkHead head;

        open_all(&t, true, port);
        assert_int_equal(reflections_count(t.reflections), 0);
        assert_true(member_link_head(t.link, &head));
        assert_true(head.reflects);
        assert_int_equal(head.there.port, t.w.at.port);
        assert_int_equal(head.n_addrs, 1);

        ask(&t, &q);
        assert_int_equal(t.reply.refusal, REFLECT_NONE);
        assert_int_equal(reflections_count(t.reflections), 1);
        /* both see the same connection */
        assert_true(addr_equal(&t.reply.observed, &head.here));
        assert_int_equal(t.reply.observed.port, head.here.port);
        assert_int_equal(t.reply.local.port, t.w.at.port);
        assert_true(t.reply.port.known && !t.reply.port.listening);

        assert_int_equal(doors_open(t.w.event, &port, 1, t.nonce, &doors), 0);
        q = back_to(&t, port);
        ask(&t, &q);
        assert_int_equal(t.reply.refusal, REFLECT_NONE);
        assert_int_equal(t.reply.n_back, 1);
        assert_int_equal(t.reply.back[0].result, BACK_NONCE_OK);
        assert_int_equal(reflections_forbidden(t.reflections), 0);

        /* one test in ten seconds */
        ask(&t, &q);
        assert_int_equal(t.reply.refusal, REFLECT_RATE);
        assert_true(t.reply.retry > 0);

        /* the conversation ends with the connection */
        t.link = member_link_free(t.link);
        WAIT(&t.w, t.w.lost == 1);
        assert_int_equal(reflections_count(t.reflections), 0);
        close_all(&t);
}

/* A member wants the head to look at others: at their addresses, and at ports of its own that are
 * none of Ray's. Nothing is connected to, and each is counted. */
static void test_forbidden(void **state)
{
        uint16_t port = free_port();
        Addr victim_at;
        int victim = listen_on(&victim_at);
        Talkers t = {0};

        open_all(&t, true, port);
        ReflectRequest q = back_to(&t, victim_at.port);
        ask(&t, &q);
        assert_int_equal(t.reply.refusal, REFLECT_FORBIDDEN);
        assert_int_equal(t.reply.n_back, 0);
        assert_non_null(strstr(t.reply.text, "no port of the plan"));
        assert_int_equal(reflections_forbidden(t.reflections), 1);

        /* whole ranges are for ray-probe --serve */
        q = (ReflectRequest){.kind = REFLECT_BACK, .back_first = port, .back_last = port};
        ask(&t, &q);
        assert_int_equal(t.reply.refusal, REFLECT_FORBIDDEN);

        /* 127.0.0.2 is a machine as any other where .own is set, but not in the certificate */
        q = back_to(&t, port);
        q.claimed[q.n_claimed++] = member_addr("127.0.0.2");
        q.claimed[q.n_claimed++] = member_addr("10.77.0.99");
        q.claimed[q.n_claimed++] = member_addr("127.0.0.1");
        ask(&t, &q);
        assert_int_equal(t.reply.refusal, REFLECT_NONE);
        for (size_t i = 0; i < t.reply.n_back; i++)
                assert_true(addr_equal(&t.reply.back[i].addr, &t.w.at));
        assert_int_equal(t.reply.n_back, 1);
        assert_int_equal(reflections_forbidden(t.reflections), 2);
        assert_int_equal(accept4(victim, NULL, NULL, SOCK_NONBLOCK), -1);
        close(victim);
        close_all(&t);
}

static void renew(Talkers *t, const Addr *addr)
{
        MemberFacts facts = {.name = "w1", .boot_id = "boot", .n_addrs = addr != NULL};
        unsigned n = t->w.link_renewed;

        if (addr)
                facts.addrs[0] = *addr;
        assert_int_equal(member_link_set_facts(t->link, &facts), 0);
        assert_int_equal(link_renewal_ask(t->link, t->link->peer), 0);
        WAIT(&t->w, t->w.link_renewed > n);
}

/* What its latest certificate names is its own, and nothing else that an earlier one named. */
static void test_renewed(void **state)
{
        const ReflectRequest begin = {.kind = REFLECT_BEGIN};
        const Addr former = member_addr("192.0.2.5");
        uint16_t port = free_port();
        Talkers t = {0};

        open_all(&t, true, port);
        renew(&t, &former);
        ask(&t, &begin);
        renew(&t, NULL);
        assert_int_equal(reflections_count(t.reflections), 1);
        ReflectRequest q = back_to(&t, port);
        q.claimed[q.n_claimed++] = former;
        ask(&t, &q);
        assert_int_equal(reflections_forbidden(t.reflections), 1);
        assert_int_equal(t.reply.n_back, 1);
        close_all(&t);
}

/* Its certificate names the address still; but another machine has it now, which was not asked. */
static void test_taken(void **state)
{
        const ReflectRequest begin = {.kind = REFLECT_BEGIN};
        const MemberRow other = {.node = "node2", .name = "w2", .pin = {2}};
        const Addr moved = member_addr("192.0.2.5");
        const PkiNames names = {.node = "node2", .addrs = {moved}, .n_addrs = 1};
        uint16_t port = free_port();
        Talkers t = {0};

        open_all(&t, true, port);
        renew(&t, &moved);
        ask(&t, &begin);
        assert_int_equal(roster_put(t.w.m.db, &other), 0);
        assert_int_equal(address_book_put(t.w.m.db, &names), 0);
        ReflectRequest q = back_to(&t, port);
        q.claimed[q.n_claimed++] = moved;
        ask(&t, &q);
        assert_int_equal(reflections_forbidden(t.reflections), 1);
        assert_int_equal(t.reply.n_back, 1); /* where it is itself */
        close_all(&t);
}

/* Where nobody said that it is all one machine, the head connects to itself for nobody. */
static void test_own(void **state)
{
        uint16_t port = free_port();
        Talkers t = {0};

        open_all(&t, false, port);
        ReflectRequest q = back_to(&t, port);
        ask(&t, &q);
        assert_int_equal(t.reply.refusal, REFLECT_FORBIDDEN);
        assert_non_null(strstr(t.reply.text, "127.0.0.1 is a loopback address"));
        close_all(&t);
}

/* What is no request is answered, and what is too much is, and the member stays one. */
static void test_bounds(void **state)
{
        Talkers t = {0};
        ReflectRequest look = {.kind = REFLECT_LOOK};
        unsigned n;

        open_all(&t, true, free_port());
        assert_int_equal(member_link_reflect(t.link, "\xff\xff\xff", 3), 0);
        WAIT(&t.w, t.replies == 1);
        assert_int_equal(t.reply.refusal, REFLECT_BAD);
        for (n = 1; n < REFLECTIONS_REQUESTS; n++)
                say(&t, &look);
        WAIT(&t.w, t.replies == n);
        assert_int_equal(t.reply.refusal, REFLECT_NONE);
        ask(&t, &look);
        assert_int_equal(t.reply.refusal, REFLECT_RATE);
        assert_int_equal(t.w.lost, 0);
        assert_true(member_link_is_joined(t.link));
        close_all(&t);
}

/* Nobody but a member is listened to: not one that has shown its certificate and nothing else, and
 * not one that has none. */
static void test_strangers(void **state)
{
        Talkers t = {0};
        _cleanup_buf_ Buf out = {0};
        const ReflectRequest begin = {.kind = REFLECT_BEGIN};

        open_all(&t, true, free_port());
        assert_int_equal(reflect_encode_request(&out, &begin), 0);
        const MemberMessage m = {.kind = MEMBER_REFLECT_REQUEST,
                                 .reflect = {buf_data(&out), buf_size(&out)}};
        for (unsigned known = 0; known < 2; known++) {
                Raw raw;
                raw_init(&raw, &t.w, known ? &t.identity : NULL, "127.0.0.1", &m);
                WAIT(&t.w, raw.down);
                assert_int_equal(raw.kinds[MEMBER_REFLECT_REPLY], 0);
                raw_done(&raw);
        }
        assert_int_equal(reflections_count(t.reflections), 0);
        close_all(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_conversation), cmocka_unit_test(test_forbidden),
                cmocka_unit_test(test_own),          cmocka_unit_test(test_renewed),
                cmocka_unit_test(test_taken),        cmocka_unit_test(test_bounds),
                cmocka_unit_test(test_strangers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
