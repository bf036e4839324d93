/* sys/resolve: the order of SRV records, and every answer a name server can give, from a small
 * server on the same event loop. */
#include "test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/resolve.h"

/* --- SRV order ---------------------------------------------------------------------------------
 */

static uint32_t dice;

static uint32_t loaded_dice(uint32_t max)
{
        return MIN(dice, max);
}

static void test_srv_priority(void **state)
{
        Srv s[] = {{.priority = 20, .port = 1},
                   {.priority = 10, .port = 2},
                   {.priority = 30, .port = 3},
                   {.priority = 10, .port = 4, .weight = 5}};

        dice = 0;
        srv_order(s, ELEMENTSOF(s), loaded_dice);
        assert_int_equal(s[0].port, 2); /* weight 0 wins only when the dice say 0 */
        assert_int_equal(s[1].port, 4);
        assert_int_equal(s[2].port, 1);
        assert_int_equal(s[3].port, 3);

        dice = 1;
        srv_order(s, ELEMENTSOF(s), loaded_dice);
        assert_int_equal(s[0].port, 4);
        assert_int_equal(s[1].port, 2);
}

static void test_srv_weight(void **state)
{
        unsigned first[3] = {0};

        for (int i = 0; i < 4000; i++) {
                Srv s[] = {{.weight = 10, .port = 0},
                           {.weight = 30, .port = 1},
                           {.weight = 60, .port = 2}};
                srv_order(s, ELEMENTSOF(s), NULL);
                first[s[0].port]++;
        }
        /* 10, 30 and 60 % of 4000, each within more than six standard deviations */
        assert_in_range(first[0], 280, 530);
        assert_in_range(first[1], 1000, 1400);
        assert_in_range(first[2], 2190, 2610);
        srv_order(NULL, 0, NULL);
}

/* --- a name server -----------------------------------------------------------------------------
 */

typedef struct Server {
        int fd;
        char address[32];
        unsigned questions;
} Server;

typedef struct Reply {
        uint8_t b[4096];
        size_t n;
        unsigned answers;
} Reply;

static void put(Reply *r, const void *p, size_t n)
{
        assert_true(r->n + n <= sizeof(r->b));
        memcpy(r->b + r->n, p, n);
        r->n += n;
}

static void put16(Reply *r, unsigned v)
{
        uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
        put(r, b, 2);
}

static void put_record(Reply *r, unsigned type, const void *data, size_t n)
{
        put16(r, 0xc00c); /* the name asked for */
        put16(r, type);
        put16(r, 1);
        put16(r, 0);
        put16(r, 60);
        put16(r, (unsigned)n);
        put(r, data, n);
        r->answers++;
}

static void put_srv(Reply *r, unsigned priority, unsigned weight, unsigned port, const char *host)
{
        uint8_t data[300];
        size_t n = 6;
        uint16_t head[] = {htons((uint16_t)priority), htons((uint16_t)weight),
                           htons((uint16_t)port)};
        memcpy(data, head, 6);
        while (*host) {
                size_t l = strcspn(host, ".");
                data[n++] = (uint8_t)l;
                memcpy(data + n, host, l);
                n += l;
                host += l + (host[l] == '.');
        }
        data[n++] = 0;
        put_record(r, 33, data, n);
}

static void question_name(const uint8_t *q, char *name)
{
        size_t at = 12, n = 0;
        while (q[at]) {
                memcpy(name + n, q + at + 1, q[at]);
                n += q[at];
                name[n++] = '.';
                at += 1U + q[at];
        }
        name[n ? n - 1 : 0] = 0;
}

static void answer(Reply *r, const char *name, unsigned type)
{
        if (streq(name, "both.test") && type == 1)
                put_record(r, 1, "\x0a\x00\x00\x01", 4);
        else if (streq(name, "both.test") && type == 28)
                put_record(r, 28, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
        else if (streq(name, "half.test") && type == 1)
                put_record(r, 1, "\x0a\x00\x00\x02", 4);
        else if (streq(name, "many.test") && type == 1) {
                for (uint8_t i = 1; i <= 100; i++)
                        put_record(r, 1, (uint8_t[]){10, 1, 0, i}, 4);
        } else if (streq(name, "_s._tcp.test") && type == 33) {
                put_srv(r, 20, 0, 6389, "b.test");
                put_srv(r, 10, 0, 6388, "a.test");
                put_srv(r, 1, 0, 1, "");
        } else if (streq(name, "_many._tcp.test") && type == 33) {
                for (unsigned i = 0; i < 60; i++)
                        put_srv(r, i, 0, i, "x.test");
        } else if (streq(name, "_s._tcp.test") && type == 16)
                put_record(r, 16, "\x09txtvers=1\x08gcs=6379\x03z\0z", 23);
}

static bool reply_to(Server *server, const uint8_t *q, size_t n, bool tcp, Reply *r)
{
        char name[512];

        if (n < 17)
                return false;
        server->questions++;
        question_name(q, name);
        size_t qlen = 12 + strlen(name) + 2 + 4;
        unsigned type = q[qlen - 3];
        unsigned rcode = startswith(name, "nx.")         ? 3
                         : startswith(name, "servfail.") ? 2
                         : startswith(name, "refused.")  ? 5
                                                         : 0;
        if (startswith(name, "silent.") || (streq(name, "half.test") && type == 28))
                return false;

        put(r, q, qlen);
        if (rcode == 0)
                answer(r, name, type);
        r->b[2] = 0x85;
        r->b[3] = (uint8_t)(0x80 | rcode);
        if (!tcp && r->n > 512) {
                r->b[2] |= 0x02; /* truncated: come again by TCP */
                r->n = qlen;
                r->answers = 0;
        }
        r->b[7] = (uint8_t)r->answers;
        r->b[8] = r->b[9] = r->b[10] = r->b[11] = 0;
        return true;
}

static int on_question(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        uint8_t q[512];
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        Reply r = {0};

        ssize_t n = recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&from, &len);
        if (n > 0 && reply_to(userdata, q, (size_t)n, false, &r))
                assert_true(sendto(fd, r.b, r.n, 0, (struct sockaddr *)&from, len) == (ssize_t)r.n);
        return 0;
}

static int on_tcp_question(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        uint8_t q[512];
        Reply r = {0};

        ssize_t n = recv(fd, q, sizeof(q), 0);
        if (n > 2 && reply_to(userdata, q + 2, (size_t)n - 2, true, &r)) {
                uint8_t size[2] = {(uint8_t)(r.n >> 8), (uint8_t)r.n};
                assert_int_equal(send(fd, size, 2, MSG_MORE), 2);
                assert_int_equal(send(fd, r.b, r.n, 0), r.n);
        }
        sd_event_source_disable_unref(s); /* closes */
        return 0;
}

static int on_tcp(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        sd_event_source *io = NULL;

        int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(conn >= 0);
        assert_true(sd_event_add_io(sd_event_source_get_event(s), &io, conn, EPOLLIN,
                                    on_tcp_question, userdata) >= 0);
        assert_true(sd_event_source_set_io_fd_own(io, true) >= 0);
        return 0;
}

/* --- asking it ---------------------------------------------------------------------------------
 */

typedef struct World {
        sd_event *event;
        Server server;
        sd_event_source *io, *tcp;
        Resolver *resolver;
        ResolveResult result;
        char text[256];
        char addrs[8][ADDR_MAX];
        size_t n_addrs, n_srv, n_txt;
        unsigned ports[4];
        char target[64], txt[64];
        bool from_hosts, done;
} World;

static int setup(void **state)
{
        World *w = new0(World, 1);
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(in);

        assert_int_equal(sd_event_new(&w->event), 0);
        int tcp = -EBADF;
        /* one number for both: the kernel chooses it for UDP, and TCP may have it in use */
        for (int i = 0; i < 100; i++) {
                len = sizeof(in);
                in.sin_port = 0;
                w->server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                assert_int_equal(bind(w->server.fd, (struct sockaddr *)&in, len), 0);
                assert_int_equal(getsockname(w->server.fd, (struct sockaddr *)&in, &len), 0);
                if (bind(tcp, (struct sockaddr *)&in, len) == 0 && listen(tcp, 8) == 0)
                        break;
                close(w->server.fd);
                close(tcp);
                tcp = -EBADF;
        }
        assert_true(tcp >= 0);
        (void)snprintf(w->server.address, sizeof(w->server.address), "127.0.0.1:%u",
                       ntohs(in.sin_port));
        assert_true(sd_event_add_io(w->event, &w->io, w->server.fd, EPOLLIN, on_question,
                                    &w->server) >= 0);
        assert_true(sd_event_add_io(w->event, &w->tcp, tcp, EPOLLIN, on_tcp, &w->server) >= 0);
        assert_true(sd_event_source_set_io_fd_own(w->tcp, true) >= 0);
        assert_int_equal(resolver_new(w->event, &w->resolver), 0);
        assert_int_equal(resolver_set_servers(w->resolver, w->server.address), 0);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;
        resolver_free(w->resolver);
        sd_event_source_disable_unref(w->io);
        sd_event_source_disable_unref(w->tcp);
        safe_close(w->server.fd);
        sd_event_unref(w->event);
        free(w);
        return 0;
}

static void on_answer(const ResolveAnswer *a, void *userdata)
{
        World *w = userdata;
        w->done = true;
        w->result = a->result;
        w->from_hosts = a->from_hosts;
        (void)snprintf(w->text, sizeof(w->text), "%s", a->text);
        w->n_addrs = a->n_addrs;
        for (size_t i = 0; i < MIN(a->n_addrs, ELEMENTSOF(w->addrs)); i++)
                addr_format(w->addrs[i], &a->addrs[i]);
        w->n_srv = a->n_srv;
        for (size_t i = 0; i < MIN(a->n_srv, ELEMENTSOF(w->ports)); i++)
                w->ports[i] = a->srv[i].port;
        if (a->n_srv)
                (void)snprintf(w->target, sizeof(w->target), "%s", a->srv[0].target);
        w->n_txt = strv_length(a->txt);
        if (w->n_txt)
                (void)snprintf(w->txt, sizeof(w->txt), "%s", a->txt[0]);
}

static void ask(World *w, char kind, const char *name, usec_t timeout)
{
        ResolveQuery *q = NULL;
        usec_t end = now_mono() + timeout + 10 * USEC_PER_SEC;

        w->done = false;
        int r = kind == 's'   ? resolver_srv(w->resolver, name, timeout, on_answer, w, &q)
                : kind == 't' ? resolver_txt(w->resolver, name, timeout, on_answer, w, &q)
                              : resolver_host(w->resolver, name, timeout, on_answer, w, &q);
        assert_int_equal(r, 0);
        assert_false(w->done); /* never from the call itself */
        while (!w->done && now_mono() < end)
                assert_true(sd_event_run(w->event, USEC_PER_SEC) >= 0);
        assert_true(w->done);
}

static void test_host(void **state)
{
        World *w = *state;

        ask(w, 'h', "both.test", USEC_PER_SEC);
        assert_int_equal(w->result, RESOLVE_OK);
        assert_int_equal(w->n_addrs, 2);
        assert_string_equal(w->addrs[0], "10.0.0.1");
        assert_string_equal(w->addrs[1], "2001:db8::1");
        assert_false(w->from_hosts);
        assert_string_equal(w->text, "");

        ask(w, 'h', "192.0.2.7", USEC_PER_SEC);
        assert_string_equal(w->addrs[0], "192.0.2.7");
        ask(w, 'h', "", USEC_PER_SEC);
        assert_int_equal(w->result, RESOLVE_BAD_NAME);
}

static void test_host_half(void **state)
{
        World *w = *state;
        usec_t begin = now_mono();

        /* AAAA is never answered: the A is not held back for it until the deadline */
        ask(w, 'h', "half.test", 8 * USEC_PER_SEC);
        assert_int_equal(w->result, RESOLVE_OK);
        assert_string_equal(w->addrs[0], "10.0.0.2");
        assert_true(now_mono() - begin < 2 * USEC_PER_SEC);
}

static void test_host_many(void **state)
{
        World *w = *state;

        ask(w, 'h', "many.test", USEC_PER_SEC);
        assert_int_equal(w->result, RESOLVE_OK);
        assert_int_equal(w->n_addrs, RESOLVE_ADDRS_MAX);
}

static void test_hosts_file(void **state)
{
        World *w = *state;
        unsigned before = w->server.questions;

        ask(w, 'h', "localhost", USEC_PER_SEC);
        assert_int_equal(w->result, RESOLVE_OK);
        assert_true(w->from_hosts);
        assert_int_equal(w->server.questions, before);
}

static void test_failures(void **state)
{
        static const struct {
                const char *name;
                ResolveResult result;
                const char *says;
        } cases[] = {
                {"nx.test", RESOLVE_NXDOMAIN, "NXDOMAIN from DNS server 127.0.0.1"},
                {"empty.test", RESOLVE_NODATA, "no such record from DNS server 127.0.0.1"},
                {"servfail.test", RESOLVE_SERVFAIL, "answered SERVFAIL"},
                {"refused.test", RESOLVE_REFUSED, "refused to answer"},
                {"silent.test", RESOLVE_TIMEOUT, "gave no answer within 300ms"},
        };
        World *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (const char *k = "hst"; *k; k++) {
                        ask(w, *k, cases[i].name, 300 * USEC_PER_MSEC);
                        assert_int_equal(w->result, cases[i].result);
                        if (!strstr(w->text, cases[i].says))
                                fail_msg("%s: %s", cases[i].name, w->text);
                }
        for (ResolveResult r = 0; r < _RESOLVE_RESULT_MAX; r++)
                assert_int_equal(resolve_result_from_string(resolve_result_to_string(r)), r);
}

static void test_no_server(void **state)
{
        World *w = *state;

        assert_int_equal(resolver_set_servers(w->resolver, "127.0.0.1:1"), 0);
        /* told at once; the time is for a machine that lets this process wait between the tries */
        ask(w, 'h', "both.test", 30 * USEC_PER_SEC);
        assert_int_equal(w->result, RESOLVE_NO_SERVER);
        assert_non_null(strstr(w->text, "127.0.0.1:1 cannot be reached, or nothing listens"));
}

static void test_srv(void **state)
{
        World *w = *state;

        ask(w, 's', "_s._tcp.test", USEC_PER_SEC);
        assert_int_equal(w->result, RESOLVE_OK);
        assert_int_equal(w->n_srv, 2); /* the one without target is no service */
        assert_int_equal(w->ports[0], 6388);
        assert_int_equal(w->ports[1], 6389);
        assert_string_equal(w->target, "a.test");

        ask(w, 's', "_many._tcp.test", USEC_PER_SEC);
        assert_int_equal(w->n_srv, RESOLVE_SRV_MAX);
}

static void test_txt(void **state)
{
        World *w = *state;

        ask(w, 't', "_s._tcp.test", USEC_PER_SEC);
        assert_int_equal(w->result, RESOLVE_OK);
        assert_int_equal(w->n_txt, 2); /* the string with a NUL is left out */
        assert_string_equal(w->txt, "txtvers=1");
}

static void test_cancel(void **state)
{
        World *w = *state;
        ResolveQuery *q = NULL;

        w->done = false;
        assert_int_equal(resolver_host(w->resolver, "silent.test", USEC_PER_SEC, on_answer, w, &q),
                         0);
        assert_null(resolve_query_cancel(q));
        assert_int_equal(resolver_host(w->resolver, "10.0.0.1", USEC_PER_SEC, on_answer, w, &q), 0);
        assert_null(resolve_query_cancel(q));
        while (sd_event_run(w->event, 0) > 0)
                ;
        assert_false(w->done);
}

static void test_domains(void **state)
{
        World *w = *state;
        _cleanup_strv_free_ char **l = NULL;
        _cleanup_free_ char *servers = NULL;

        assert_int_equal(resolver_domains(w->resolver, &l), 0);
        STRV_FOREACH (d, l)
                assert_true(**d);
        assert_int_equal(resolver_servers(w->resolver, &servers), 0);
        assert_string_equal(servers, w->server.address);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_srv_priority),
                cmocka_unit_test(test_srv_weight),
                cmocka_unit_test_setup_teardown(test_host, setup, teardown),
                cmocka_unit_test_setup_teardown(test_host_half, setup, teardown),
                cmocka_unit_test_setup_teardown(test_host_many, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hosts_file, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_server, setup, teardown),
                cmocka_unit_test_setup_teardown(test_srv, setup, teardown),
                cmocka_unit_test_setup_teardown(test_txt, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
                cmocka_unit_test_setup_teardown(test_domains, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
