/* Who comes to a gate only to be in the way: thousands that say nothing, some that say it a byte at
 * a time, and frames without end. What the gate keeps of them is bounded by a number, members are
 * served meanwhile, and a newcomer from elsewhere gets in. */
#include "gate-world.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

#include "wire/member-frame.h"

#define MANY 10000
/* What the gate keeps of one that has said nothing, and of one whose handshake has begun, for which
 * OpenSSL makes its buffers. */
#define SILENT_BYTES ((size_t)16 << 10)
#define BEGUN_BYTES  ((size_t)96 << 10)
/* Long enough for a machine that does much else besides. */
#define PATIENT_BEAT (2 * USEC_PER_SEC)

static void patient_init(World *w)
{
        world_init(w);
        w->gate = gate_free(w->gate);
        GatePolicy p = {.authority = w->m.authority,
                        .db = w->m.db,
                        .cluster = "lab1",
                        .ray_token = "ray's token",
                        .beat = PATIENT_BEAT};
        int fd = listen_on(&w->at);
        assert_int_equal(listen(fd, GATE_BACKLOG), 0); /* as the head's own */
        assert_int_equal(gate_new(w->event, fd, &p, &gate_ops, w, &w->gate), 0);
}

/* Everything that is ready now has its turn. */
static void settle(World *w)
{
        while (sd_event_run(w->event, 0) > 0)
                ;
}

static size_t heap(void)
{
        return mallinfo2().uordblks;
}

/* From an address of its own; not waited for. */
static int knock(World *w, uint32_t from)
{
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(&w->at, &sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
        if (connect(fd, &sa.sa, len) < 0)
                assert_int_equal(errno, EINPROGRESS);
        return fd;
}

static bool was_closed(int fd)
{
        char c;
        ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);

        return n == 0 || (n < 0 && errno != EAGAIN);
}

static MemberLink *joined(World *w, Identity *ret_identity)
{
        JoinToken t = token_of(w, "abcdefgh");

        join(w, &t);
        assert_int_equal(w->join.end, JOIN_DONE);
        load(w, ret_identity);
        MemberLink *l = link_as(w, ret_identity, "b1");
        WAIT(w, w->came == 1 && w->welcomes == 1);
        return l;
}

/* An admin hears of it, and who it is. */
static void check_told(const World *w, GateAbuse what, unsigned at_least, uint32_t from)
{
        char text[ADDR_MAX], want[ADDR_MAX];
        const Addr a = {.family = AF_INET, .in.s_addr = htonl(from)};

        assert_in_range(w->abuses[what], at_least, MANY);
        assert_string_equal(addr_format(text, &w->abuser), addr_format(want, &a));
}

/* Beats went both ways all the time, and still do. */
static void check_served(World *w, const MemberLink *l)
{
        usec_t until = now_mono() + 2 * PATIENT_BEAT;

        WAIT(w, now_mono() > until);
        assert_true(member_link_is_joined(l));
        assert_int_equal(w->lost + w->losses, 0);
}

/* 10,000 connections of one machine: it has the places that one machine has, and no others. */
static void test_silent_machine(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        int held[GATE_PER_SOURCE];
        size_t n = 0;
        World w;

        patient_init(&w);
        l = joined(&w, &i);
        WAIT(&w, gate_strangers(w.gate) == 0);
        size_t before = heap();
        for (size_t k = 0; k < MANY; k++) {
                int fd = knock(&w, INADDR_LOOPBACK + 8);
                settle(&w);
                if (n < ELEMENTSOF(held)) {
                        held[n++] = fd;
                        continue;
                }
                WAIT(&w, was_closed(fd));
                safe_close(fd);
        }
        assert_int_equal(gate_strangers(w.gate), GATE_PER_SOURCE);
        assert_in_range(heap() - before, 0, GATE_PER_SOURCE * SILENT_BYTES);
        check_told(&w, GATE_ABUSE_SOURCE, MANY - GATE_PER_SOURCE, INADDR_LOOPBACK + 8);
        JoinToken t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        check_served(&w, l);
        for (size_t k = 0; k < n; k++)
                safe_close(held[k]);
        WAIT(&w, gate_strangers(w.gate) == 0);
        world_done(&w);
}

/* Of hundreds of machines at once: all places are taken, the rest waits in the kernel. When they
 * give up nothing is done for those that waited. */
static void test_silent_crowd(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        int fds[2 * GATE_STRANGERS];
        World w;

        patient_init(&w);
        l = joined(&w, &i);
        WAIT(&w, gate_strangers(w.gate) == 0);
        size_t before = heap();
        for (size_t k = 0; k < ELEMENTSOF(fds); k++) {
                fds[k] = knock(&w, INADDR_LOOPBACK + 256 + (uint32_t)k);
                settle(&w);
        }
        assert_int_equal(gate_strangers(w.gate), GATE_STRANGERS);
        assert_in_range(heap() - before, 0, GATE_STRANGERS * SILENT_BYTES);
        for (size_t k = 0; k < ELEMENTSOF(fds); k++)
                (void)send(fds[k], "\x16", 1, MSG_NOSIGNAL);
        settle(&w);
        assert_in_range(heap() - before, 0, GATE_STRANGERS * BEGUN_BYTES);
        check_served(&w, l);
        /* whoever keeps the gate waiting makes room, of which there is one place at most */
        WAIT(&w, w.abuses[GATE_ABUSE_FULL] > 0);
        assert_in_range(gate_strangers(w.gate), GATE_STRANGERS - 1, GATE_STRANGERS);
        for (size_t k = 0; k < ELEMENTSOF(fds); k++)
                safe_close(fds[k]);
        JoinToken t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        assert_int_equal(w.lost, 0);
        world_done(&w);
}

/* Room for MANY sockets and both ends of some more. */
static void allow_many_files(void)
{
        const rlim_t want = MANY + 1000;
        struct rlimit l;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
        if (l.rlim_cur >= want)
                return;
        l.rlim_cur = want;
        l.rlim_max = l.rlim_max < want ? want : l.rlim_max; /* which root may */
        if (setrlimit(RLIMIT_NOFILE, &l) < 0)
                fail_msg("10,000 connections need %llu open files, and the hard limit is lower: "
                         "raise it (prlimit --nofile, LimitNOFILE=), then test again",
                         (unsigned long long)want);
}

static size_t count_open(const int *fds, size_t n)
{
        size_t open = 0;

        for (size_t k = 0; k < n; k++)
                open += !was_closed(fds[k]);
        return open;
}

/* 10,000 at once that say nothing and do not let go, of 1,250 machines: some have a place, some
 * wait in the kernel's queue, and the others' kernels knock again and again. None of it costs
 * memory, and a member is served. A newcomer has to be lucky as long as they are there, and gets in
 * when they are not. */
static void test_ten_thousand_at_once(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        static int fds[MANY];
        World w;

        allow_many_files();
        patient_init(&w);
        l = joined(&w, &i);
        WAIT(&w, gate_strangers(w.gate) == 0);
        size_t before = heap();
        for (size_t k = 0; k < MANY; k++)
                fds[k] = knock(&w, INADDR_LOOPBACK + 256 + (uint32_t)(k / GATE_PER_SOURCE));
        assert_int_equal(count_open(fds, MANY), MANY);
        settle(&w);
        assert_in_range(gate_strangers(w.gate), GATE_STRANGERS - 1, GATE_STRANGERS);
        assert_in_range(heap() - before, 0, GATE_STRANGERS * SILENT_BYTES);
        check_served(&w, l);
        for (size_t k = 0; k < MANY; k++)
                safe_close(fds[k]);
        JoinToken t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        WAIT(&w, gate_strangers(w.gate) == 0);
        assert_true(member_link_is_joined(l));
        assert_int_equal(w.lost + w.losses, 0);
        world_done(&w);
}

/* One machine with many addresses has all places but one, and the whole queue: a newcomer gets in
 * before any of its connections would have ended, and a slow one that has the other place keeps it.
 * It is the last of them: so all have kept the gate waiting when it has. */
static void test_many_addresses(void **state)
{
        int fds[GATE_STRANGERS + 50], slow = -1;
        World w;

        patient_init(&w);
        for (size_t k = 0; k < ELEMENTSOF(fds); k++) {
                if (k == GATE_STRANGERS - 1) {
                        settle(&w);
                        slow = knock(&w, INADDR_LOOPBACK + 8);
                        WAIT(&w, gate_strangers(w.gate) == GATE_STRANGERS);
                }
                fds[k] = knock(&w, INADDR_LOOPBACK + 256 + (uint32_t)(k / GATE_PER_SOURCE));
                settle(&w);
                if (k % 2) /* begun, and not gone on with */
                        (void)send(fds[k], "\x16", 1, MSG_NOSIGNAL);
        }
        assert_int_equal(gate_strangers(w.gate), GATE_STRANGERS);
        usec_t begin = now_mono();
        JoinToken t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        assert_true(now_mono() - begin < PEER_GREETING_MAX / 2);
        assert_false(was_closed(slow));
        safe_close(slow);
        for (size_t k = 0; k < ELEMENTSOF(fds); k++)
                safe_close(fds[k]);
        WAIT(&w, gate_strangers(w.gate) == 0);
        world_done(&w);
}

/* One that gave up in the kernel's queue never was a stranger here. */
static void test_gone_before_it_was_taken_in(void **state)
{
        World w;

        patient_init(&w);
        int fd = knock(&w, INADDR_LOOPBACK);
        WAIT(&w, gate_strangers(w.gate) == 1);
        safe_close(fd);
        WAIT(&w, gate_strangers(w.gate) == 0);
        fd = knock(&w, INADDR_LOOPBACK);
        assert_int_equal(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
        safe_close(fd);
        assert_true(sd_event_run(w.event, USEC_PER_SEC) > 0);
        assert_int_equal(gate_strangers(w.gate), 0);
        world_done(&w);
}

/* --- bytes within TLS ---------------------------------------------------------------------------
 */

typedef struct Bytes {
        Stream *stream;
        bool up, down;
} Bytes;

static void on_bytes_connected(Stream *s, void *userdata)
{
        ((Bytes *)userdata)->up = true;
}

static void on_bytes_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
}

static void on_bytes_closed(Stream *s, int error, void *userdata)
{
        ((Bytes *)userdata)->down = true;
}

static void bytes_done(Bytes *r)
{
        stream_free(r->stream);
}

/* Through TLS: as the member of i, or, for NULL, as a stranger who has a token. */
static void bytes_dial(World *w, Bytes *r, const Identity *i)
{
        static const StreamOps ops = {.on_connected = on_bytes_connected,
                                      .on_data = on_bytes_data,
                                      .on_closed = on_bytes_closed};
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        TlsLinkPolicy policy = {.n_pins = i ? 0 : 1};
        TlsLink *tls = NULL;

        *r = (Bytes){0};
        pki_cert_pin(authority_cert(w->m.authority), policy.pins[0]);
        if (i)
                assert_int_equal(identity_party(i, &party), 0);
        else
                assert_int_equal(tls_party_new(NULL, NULL, NULL, 0, &party), 0);
        assert_int_equal(tls_link_new(party, &policy, &tls), 0);
        assert_int_equal(stream_connect(w->event, &w->at, &ops, r, &r->stream), 0);
        stream_set_layer(r->stream, &tls_link_layer, tls);
        WAIT(w, r->up || r->down);
        assert_true(r->up);
}

static void bytes_say(Bytes *r, const void *data, size_t size)
{
        if (!r->down)
                assert_int_equal(stream_write(r->stream, data, size), 0);
}

/* That so many bytes follow. */
static void bytes_announce(Bytes *r, size_t size)
{
        const uint8_t head[] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                                (uint8_t)size};
        bytes_say(r, head, sizeof(head));
}

static void bytes_message(Bytes *r, const MemberMessage *m)
{
        _cleanup_buf_ Buf out = {0};

        assert_int_equal(member_encode(&out, m), 0);
        bytes_say(r, buf_data(&out), buf_size(&out));
}

static void bytes_hello(Bytes *r)
{
        const MemberMessage m = {.kind = MEMBER_HELLO,
                                 .hello = {.version = MEMBER_VERSION, .oldest = MEMBER_OLDEST}};
        bytes_message(r, &m);
}

static void bytes_member(World *w, Bytes *r, const Identity *i)
{
        const MemberMessage facts = {.kind = MEMBER_FACTS};
        unsigned before = w->came;

        bytes_dial(w, r, i);
        bytes_hello(r);
        bytes_message(r, &facts);
        WAIT(w, w->came == before + 1);
}

/* Known from the first four bytes: nothing is waited for, and nothing kept. */
static void test_oversized_frames(void **state)
{
        _cleanup_identity_ Identity i = {0};
        World w;
        Bytes r;

        patient_init(&w);
        MemberLink *l = joined(&w, &i);
        member_link_free(l);
        WAIT(&w, w.lost == 1 && gate_strangers(w.gate) == 0);
        for (int said_hello = 0; said_hello < 2; said_hello++) {
                bytes_dial(&w, &r, NULL);
                if (said_hello)
                        bytes_hello(&r);
                size_t before = heap();
                bytes_announce(&r, MEMBER_FRAME_MAX_UNKNOWN + 1);
                WAIT(&w, r.down);
                assert_true(heap() <= before);
                bytes_done(&r);
        }
        check_told(&w, GATE_ABUSE_NONSENSE, 2, INADDR_LOOPBACK);
        bytes_member(&w, &r, &i);
        bytes_announce(&r, MEMBER_FRAME_MAX + 1);
        WAIT(&w, r.down && w.lost == 2);
        assert_int_equal(w.loss, GATE_LOSS_CLOSED);
        bytes_done(&r);
        bytes_member(&w, &r, &i);
        bytes_announce(&r, 0);
        WAIT(&w, r.down && w.lost == 3);
        assert_int_equal(w.abuses[GATE_ABUSE_NONSENSE], 4);
        bytes_done(&r);
        world_done(&w);
}

/* A member's frame that does not come to its end is silence; what there is of it is kept so long.
 */
static void test_frame_without_end(void **state)
{
        static const uint8_t zeros[4096] = {0};
        _cleanup_identity_ Identity i = {0};
        World w;
        Bytes r;

        patient_init(&w);
        MemberLink *l = joined(&w, &i);
        member_link_free(l);
        WAIT(&w, w.lost == 1 && gate_strangers(w.gate) == 0);
        bytes_member(&w, &r, &i);
        size_t before = heap();
        bytes_announce(&r, MEMBER_FRAME_MAX - 4);
        for (size_t n = sizeof(zeros); n < MEMBER_FRAME_MAX; n += sizeof(zeros)) {
                bytes_say(&r, zeros, n == sizeof(zeros) ? n - 8 : sizeof(zeros));
                settle(&w);
        }
        assert_in_range(heap() - before, 0, 3 * MEMBER_FRAME_MAX); /* both sides of it */
        assert_int_equal(w.lost, 1);
        WAIT(&w, r.down);
        assert_int_equal(w.loss, GATE_LOSS_SILENT);
        assert_true(heap() <= before);
        bytes_done(&r);
        world_done(&w);
}

/* Each says something all the time, and comes to no end: the same deadline as for silence. */
static void test_slow_drip(void **state)
{
        static const uint8_t client_hello[] = {0x16, 0x03, 0x01, 0x01, 0x00,
                                               0x01, 0x00, 0x00, 0xfc};
        /* a field that no version has: a frame that is passed over */
        static const uint8_t unknown[] = {0, 0, 0, 3, 0xf8, 0x3f, 0};
        Bytes hello, frames;
        size_t n = 0;
        World w;

        patient_init(&w);
        int tls = knock(&w, INADDR_LOOPBACK + 8);
        bytes_dial(&w, &hello, NULL);
        bytes_announce(&hello, 256);
        bytes_dial(&w, &frames, NULL);
        bytes_hello(&frames);
        WAIT(&w, gate_strangers(w.gate) == 3);
        usec_t end = now_mono() + BOUND, next = 0;
        while (gate_strangers(w.gate) > 0) {
                uint8_t c = n < sizeof(client_hello) ? client_hello[n] : 0x03;
                assert_true(now_mono() < end);
                assert_true(sd_event_run(w.event, USEC_PER_SEC / 20) >= 0);
                if (now_mono() < next)
                        continue;
                next = now_mono() + USEC_PER_SEC / 5;
                n++;
                (void)send(tls, &c, 1, MSG_NOSIGNAL);
                bytes_say(&hello, "", 1);
                bytes_say(&frames, unknown, sizeof(unknown));
        }
        WAIT(&w, was_closed(tls) && hello.down && frames.down);
        assert_in_range(n, 20, SIZE_MAX); /* cut off by the deadline, not for what they said */
        assert_int_equal(w.came + w.enrolled + w.refused, 0);
        assert_int_equal(w.abuses[GATE_ABUSE_SLOW], 3);
        safe_close(tls);
        bytes_done(&hello);
        bytes_done(&frames);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_silent_machine),
                cmocka_unit_test(test_silent_crowd),
                cmocka_unit_test(test_ten_thousand_at_once),
                cmocka_unit_test(test_many_addresses),
                cmocka_unit_test(test_gone_before_it_was_taken_in),
                cmocka_unit_test(test_oversized_frames),
                cmocka_unit_test(test_frame_without_end),
                cmocka_unit_test(test_slow_drip),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
