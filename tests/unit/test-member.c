/* A head's gate and its members over real TLS on loopback: joining with a token, staying connected,
 * and everybody who must not get in. */
#include "gate-world.h"

#include <errno.h>
#include <signal.h>

#include "member/mint.h"
#include "wire/member-frame.h"

/* As a person does it: what the head prints is what the machine is given. */
static void test_minted(void **state)
{
        uint8_t pins[1][STORE_PIN_SIZE];
        char id[STORE_ID_MAX], *error = NULL;
        _cleanup_free_ char *text = NULL, *no = NULL;
        TokenTerms terms = {.uses = 1};
        TokenRow row;
        JoinToken t;
        World w;

        world_init(&w);
        pki_cert_pin(authority_cert(w.m.authority), pins[0]);
        terms.expires = w.m.now + MINT_TTL;
        assert_int_equal(token_mint(w.m.db, pins, 1, &terms, w.m.now, id, &text), 0);
        assert_int_equal(tokens_find(w.m.db, id, &row), 1);
        assert_int_equal(join_token_parse(text, &t, &error), 0);
        assert_string_equal(t.id, id);
        assert_memory_not_equal(row.key, t.secret, sizeof(t.secret));
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        join(&w, &t);
        assert_int_equal(w.join.refusal, MEMBER_REFUSAL_TOKEN_USED);
        terms.uses = 0;
        assert_int_equal(token_mint(w.m.db, pins, 1, &terms, w.m.now, id, &no), -EINVAL);
        terms.uses = 1;
        terms.expires = w.m.now + MINT_TTL_MAX + 1;
        assert_int_equal(token_mint(w.m.db, pins, 1, &terms, w.m.now, id, &no), -EINVAL);
        assert_int_equal(token_mint(w.m.db, pins, 3, &terms, w.m.now, id, &no), -EINVAL);
        world_done(&w);
}

static void test_join_and_stay(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        JoinToken t;
        GateMember m;
        World w;
        char waiting[80];
        int64_t offset;
        usec_t error;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_string_equal(w.join.text, "this machine is a member");
        assert_int_equal(w.join.end, JOIN_DONE);
        assert_int_equal(w.enrolled, 1);
        (void)snprintf(waiting, sizeof(waiting), "%s/worker.pem.key", w.m.dir);
        assert_int_equal(access(waiting, F_OK), -1);
        load(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.came == 1 && w.welcomes == 1);
        assert_true(member_link_is_joined(l));
        assert_string_equal(w.token, "ray's token");
        assert_string_equal(w.facts_name, "w1");
        assert_int_equal(gate_count(w.gate), 1);
        assert_true(gate_find(w.gate, "workernode", &m));
        assert_false(gate_find(w.gate, "another", &m));
        /* longer than the head would wait for one that is silent */
        usec_t until = now_mono() + 5 * BEAT;
        WAIT(&w, now_mono() > until);
        assert_int_equal(w.losses + w.lost, 0);
        assert_true(member_link_clock(l, &offset, &error));
        assert_true(offset < 1000000 && offset > -1000000);
        /* the head's daemon starts again: it is back by itself */
        Addr before = w.at;
        w.gate = gate_free(w.gate);
        WAIT(&w, w.losses == 1);
        assert_string_equal(w.why, "the head hung up");
        open_gate_at(&w, &before);
        WAIT(&w, w.came == 2 && w.welcomes == 2);
        /* the machine is gone */
        l = member_link_free(l);
        WAIT(&w, w.lost == 1);
        assert_int_equal(w.loss, GATE_LOSS_CLOSED);
        assert_int_equal(gate_count(w.gate), 0);
        world_done(&w);
}

/* Joined again with the same key: the first answer may have been lost. */
static void test_join_twice(void **state)
{
        _cleanup_identity_ Identity first = {0}, second = {0};
        uint8_t a[PKI_PIN_SIZE], b[PKI_PIN_SIZE];
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        load(&w, &first);
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        load(&w, &second);
        pki_cert_pin(first.cert, a);
        pki_cert_pin(second.cert, b);
        assert_memory_equal(a, b, sizeof(a));
        assert_string_not_equal(pki_cert_serial(first.cert), pki_cert_serial(second.cert));
        world_done(&w);
}

static void test_wrong_pin(void **state)
{
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        t.pins[0][5] ^= 1;
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_WRONG_HEAD);
        assert_non_null(strstr(w.join.text, "nothing was sent to it"));
        /* of two pins one is enough: the authority is being replaced */
        t.n_pins = 2;
        pki_cert_pin(authority_cert(w.m.authority), t.pins[1]);
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        assert_int_equal(w.refused, 0);
        world_done(&w);
}

static void test_wrong_token(void **state)
{
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        t.secret[3] ^= 1;
        for (unsigned i = 1; i <= GUARD_FREE; i++) {
                join(&w, &t);
                assert_int_equal(w.join.end, JOIN_REFUSED);
                assert_int_equal(w.join.refusal, MEMBER_REFUSAL_TOKEN);
                assert_int_equal(w.refused, i);
                assert_true((w.locked > 0) == (i == GUARD_FREE));
        }
        join(&w, &t);
        assert_int_equal(w.join.refusal, MEMBER_REFUSAL_LOCKED);
        assert_in_range(w.join.retry, 1, GUARD_PAUSE);
        assert_int_equal(w.enrolled, 0);
        world_done(&w);
}

static void test_no_head_there(void **state)
{
        Addr nobody;
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        int fd = listen_on(&nobody);
        safe_close(fd);
        join_at(&w, &t, &nobody);
        assert_int_equal(w.join.end, JOIN_UNREACHABLE);
        assert_non_null(strstr(w.join.text, "Connection refused"));
        world_done(&w);
}

/* --- those who are members no more, or never were */

static void test_revoked(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        load(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.came == 1);
        assert_int_equal(roster_revoke(w.m.db, "workernode"), 1);
        assert_true(gate_revoke(w.gate, "workernode"));
        assert_false(gate_revoke(w.gate, "workernode"));
        assert_int_equal(w.loss, GATE_LOSS_REVOKED);
        WAIT(&w, w.link_refusals == 1);
        assert_int_equal(w.link_refusal.reason, MEMBER_REFUSAL_REVOKED);
        assert_int_equal(roster_forget(w.m.db, "workernode"), 1);
        WAIT(&w, w.link_refusals == 2);
        assert_int_equal(w.link_refusal.reason, MEMBER_REFUSAL_IDENTITY);
        assert_int_equal(w.came, 1);
        world_done(&w);
}

static void test_foreign_authority(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        JoinToken t;
        World w, other;

        world_init(&w);
        world_init(&other);
        t = token_of(&other, "abcdefgh");
        join(&other, &t);
        load(&other, &i);
        /* it dials a head that is not its own, and goes away by itself */
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.losses == 1);
        assert_non_null(strstr(w.why, "not the head of this machine's cluster"));
        assert_int_equal(w.came, 0);
        /* one that trusts the head and is not of it */
        pki_cert_free(i.cas[0]);
        _cleanup_buf_ Buf der = {0};
        assert_int_equal(pki_cert_to_der(authority_cert(w.m.authority), &der), 0);
        assert_int_equal(pki_cert_from_der(buf_data(&der), buf_size(&der), &i.cas[0]), 0);
        l = member_link_free(l);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.losses == 2);
        assert_string_equal(w.why, "the head does not take this machine's certificate");
        assert_int_equal(w.came, 0);
        world_done(&w);
        world_done(&other);
}

static void on_server_down(Peer *p, const PeerDown *d, void *userdata)
{
}

static int peer_as_server(World *w, int fd, TlsParty *party, Peer **ret)
{
        static const PeerOps ops = {.on_down = on_server_down};
        return peer_accept(w->event, fd, party, &ops, w, ret);
}

/* A worker's certificate is none for a head. */
static void test_worker_as_head(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        _cleanup_(peer_freep) Peer *p = NULL;
        _cleanup_identity_ Identity i = {0};
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        load(&w, &i);
        assert_int_equal(identity_party(&i, &party), 0);
        int fd = listen_on(&w.at);
        l = link_as(&w, &i, "b1");
        int conn = -1;
        WAIT(&w, (conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
        safe_close(fd);
        assert_int_equal(peer_as_server(&w, conn, party, &p), 0);
        WAIT(&w, w.losses == 1);
        assert_string_equal(w.why, "a worker answers there, not the head");
        world_done(&w);
}

/* --- one key, two machines */

static void test_replaced_and_copied(void **state)
{
        _cleanup_(member_link_freep) MemberLink *a = NULL, *b = NULL;
        _cleanup_identity_ Identity i = {0};
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        load(&w, &i);
        a = link_as(&w, &i, "b1");
        WAIT(&w, w.came == 1);
        /* the same machine by another connection: the older one was dead, and nobody told */
        b = link_as(&w, &i, "b1");
        WAIT(&w, w.came == 2);
        assert_int_equal(w.lost, 1);
        assert_int_equal(w.loss, GATE_LOSS_REPLACED);
        assert_int_equal(gate_count(w.gate), 1);
        assert_int_equal(w.copied, 0);
        a = member_link_free(a);
        world_done(&w);
}

/* --- members that do not keep to the order */

/* It was welcomed, and is not heard again. */
static void test_silent_member(void **state)
{
        _cleanup_(peer_freep) Peer *p = NULL;
        _cleanup_identity_ Identity i = {0};
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        load(&w, &i);
        Rude r = {.world = &w, .say = {.kind = MEMBER_FACTS}};
        p = rude_peer(&r, &i);
        WAIT(&w, r.answers == 1);
        assert_int_equal(w.came, 1);
        WAIT(&w, r.down);
        assert_int_equal(w.lost, 1);
        assert_int_equal(w.loss, GATE_LOSS_SILENT);
        world_done(&w);
}

/* What is not its turn ends a connection, and nothing comes of it. */
static void test_out_of_turn(void **state)
{
        static const uint8_t binding[PROOF_BINDING_SIZE] = {1};
        const MemberKind kinds[] = {MEMBER_ENROL, MEMBER_BEAT, MEMBER_WELCOME, MEMBER_REFUSED};
        _cleanup_identity_ Identity i = {0};
        JoinToken t;
        World w;

        world_init(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        load(&w, &i);
        for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                Rude r = {.world = &w, .say = {.kind = kinds[k]}};
                if (kinds[k] == MEMBER_ENROL)
                        r.say.enrol = member_world_enrol(&w.m, "abcdefgh", binding);
                else if (kinds[k] == MEMBER_WELCOME)
                        r.say.welcome.beat = BEAT;
                else if (kinds[k] == MEMBER_REFUSED)
                        r.say.refused.reason = MEMBER_REFUSAL_BAD;
                Peer *p = rude_peer(&r, &i);
                WAIT(&w, r.down);
                assert_int_equal(r.answers, 0);
                peer_free(p);
        }
        assert_int_equal(w.enrolled, 1);
        assert_int_equal(w.came + w.refused, 0);
        WAIT(&w, gate_strangers(w.gate) == 0);
        world_done(&w);
}

/* --- bytes from anybody */

static int dial(World *w)
{
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(&w->at, &sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, &sa.sa, len), 0);
        assert_true(sd_event_run(w->event, USEC_PER_SEC) >= 0); /* it is taken in */
        return fd;
}

static bool is_closed(int fd)
{
        char c;
        ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
        return n == 0 || (n < 0 && errno != EAGAIN);
}

static void test_bytes_of_strangers(void **state)
{
        static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        char zeros[2000] = {0};
        int fds[GATE_PER_SOURCE + 1];
        World w;

        world_init(&w);
        int fd = dial(&w);
        assert_int_equal(send(fd, http, sizeof(http) - 1, MSG_NOSIGNAL), sizeof(http) - 1);
        WAIT(&w, is_closed(fd));
        safe_close(fd);
        fd = dial(&w);
        assert_int_equal(send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL), sizeof(zeros));
        WAIT(&w, is_closed(fd));
        safe_close(fd);
        /* those that say nothing get few places from one address */
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = dial(&w);
        WAIT(&w, is_closed(fds[GATE_PER_SOURCE]));
        for (size_t i = 0; i < GATE_PER_SOURCE; i++)
                assert_false(is_closed(fds[i]));
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                safe_close(fds[i]);
        assert_int_equal(gate_strangers(w.gate), GATE_PER_SOURCE);
        /* and the places are free again when they leave */
        WAIT(&w, gate_strangers(w.gate) == 0);
        JoinToken t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        world_done(&w);
}

static int on_visitor(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        int visitor = accept(fd, NULL, NULL);

        assert_true(visitor >= 0);
        (void)safe_close(visitor);
        return 0;
}

/* A head that has no place left, or that is just starting, is a head for all that. */
static void test_closed_at_once(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        Addr any = member_addr("127.0.0.1");
        sd_event_source *s = NULL;
        JoinToken t;
        World w;

        member(&w, &i);
        w.gate = gate_free(w.gate);
        int fd = listen_at(&any, &w.at);
        assert_true(sd_event_add_io(w.event, &s, fd, EPOLLIN, on_visitor, NULL) >= 0);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_UNREACHABLE);
        if (!strstr(w.join.text, "closed the connection while it was being set up"))
                fail_msg("%s", w.join.text);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.losses == 1);
        if (!strstr(w.why, "the connection was closed while it was being set up"))
                fail_msg("%s", w.why);
        (void)sd_event_source_unref(s);
        (void)safe_close(fd);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_minted),
                cmocka_unit_test(test_join_and_stay),
                cmocka_unit_test(test_join_twice),
                cmocka_unit_test(test_wrong_pin),
                cmocka_unit_test(test_wrong_token),
                cmocka_unit_test(test_no_head_there),
                cmocka_unit_test(test_revoked),
                cmocka_unit_test(test_foreign_authority),
                cmocka_unit_test(test_worker_as_head),
                cmocka_unit_test(test_replaced_and_copied),
                cmocka_unit_test(test_silent_member),
                cmocka_unit_test(test_out_of_turn),
                cmocka_unit_test(test_bytes_of_strangers),
                cmocka_unit_test(test_closed_at_once),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
