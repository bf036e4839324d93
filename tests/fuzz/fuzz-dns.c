/* A name server that answers anything: c-ares reads the bytes, and what is made of them here is
 * bounded, well-formed and comes in exactly one callback, whatever they were. The first byte says
 * which record is asked for and how much of the answer is right by itself: so that most inputs get
 * past the comparison of id and question. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "probe/name.h"
#include "sys/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME       "compute04.lab.test"
#define HEADER     12
#define DATAGRAM   4096
#define TIMEOUT    (2 * USEC_PER_SEC)
#define MODE_WHOLE 4 /* id, header and question are right; the input is the answers */

typedef struct Server {
        int fd;
        char csv[32];
        const uint8_t *data;
        size_t size;
} Server;

typedef struct Told {
        sd_event *event;
        unsigned n;
} Told;

static size_t question_size(const uint8_t *q, size_t n)
{
        size_t i = HEADER;
        while (i < n && q[i] != 0)
                i += q[i] + 1U;
        return i + 5 <= n ? i + 5 - HEADER : 0;
}

static size_t make_answer(const Server *s, const uint8_t *q, size_t n_q, uint8_t buf[DATAGRAM])
{
        size_t at = 2, n_question = question_size(q, n_q);

        memcpy(buf, q, 2); /* the id */
        if (s->data[0] & MODE_WHOLE && s->size > 2) {
                const uint8_t head[] = {0x81, 0x80, 0, 1, 0, s->data[1] & 7, 0, 0, 0, 0};
                memcpy(buf + at, head, sizeof(head));
                at += sizeof(head);
                memcpy(buf + at, q + HEADER, n_question);
                at += n_question;
        }
        size_t skip = s->data[0] & MODE_WHOLE && s->size > 2 ? 2 : 1;
        size_t n = MIN(s->size - skip, DATAGRAM - at);
        memcpy(buf + at, s->data + skip, n);
        return at + n;
}

/* The answer, and behind it one that is right and ends the waiting for those that were not. */
static int on_query(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Server *s = userdata;
        uint8_t q[512], buf[DATAGRAM];
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);

        ssize_t n = recvfrom(fd, q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&peer, &len);
        if (n < HEADER)
                return 0;
        size_t size = make_answer(s, q, (size_t)n, buf);
        (void)sendto(fd, buf, size, 0, (struct sockaddr *)&peer, len);
        q[2] = 0x81;
        q[3] = 0x82; /* SERVFAIL */
        memset(q + 6, 0, 6);
        (void)sendto(fd, q, HEADER + question_size(q, (size_t)n), 0, (struct sockaddr *)&peer, len);
        return 0;
}

static void check(const ResolveAnswer *a)
{
        Evidence e = {.host = NAME, .addr.port = 6379};
        Addr others[3];

        if (!resolve_result_to_string(a->result) || !a->text || a->n_addrs > RESOLVE_ADDRS_MAX ||
            a->n_srv > RESOLVE_SRV_MAX || strv_length(a->txt) > RESOLVE_TXT_MAX)
                abort();
        for (size_t i = 0; i < a->n_addrs; i++)
                if (!addr_is_set(&a->addrs[i]) || a->addrs[i].port != 0)
                        abort();
        for (size_t i = 0; i < a->n_srv; i++)
                if (strlen(a->srv[i].target) == 0)
                        abort();
        size_t n = name_answer(&e, a, AF_UNSPEC, others, ELEMENTSOF(others));
        if (n > ELEMENTSOF(others) || e.name == NAME_LITERAL ||
            (e.name == NAME_RESOLVED) != addr_is_set(&e.addr) || e.addr.port != 6379)
                abort();
}

static void on_answer(const ResolveAnswer *a, void *userdata)
{
        Told *t = userdata;
        t->n++;
        /* an answer without the record asked for is no answer */
        if (a->result == RESOLVE_OK && a->n_addrs == 0 && a->n_srv == 0 && !a->txt)
                abort();
        if (a->result != RESOLVE_OK || a->n_addrs > 0)
                check(a);
        sd_event_exit(t->event, 0);
}

static Server *server(void)
{
        static Server s = {.fd = -EBADF};
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(sa);

        if (s.fd >= 0)
                return &s;
        s.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s.fd < 0 || bind(s.fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
            getsockname(s.fd, (struct sockaddr *)&sa, &len) < 0)
                abort();
        (void)snprintf(s.csv, sizeof(s.csv), "127.0.0.1:%u", ntohs(sa.sin_port));
        return &s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static int (*const ask[])(Resolver *, const char *, usec_t, resolve_cb, void *,
                                  ResolveQuery **) = {resolver_host, resolver_srv, resolver_txt,
                                                      resolver_host};
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(resolver_freep) Resolver *r = NULL;
        ResolveQuery *q = NULL;
        Server *s = server();

        if (size < 1)
                return 0;
        s->data = data;
        s->size = size;
        Told told = {0};
        if (sd_event_new(&event) < 0 ||
            sd_event_add_io(event, NULL, s->fd, EPOLLIN, on_query, s) < 0 ||
            resolver_new(event, &r) < 0 || resolver_set_servers(r, s->csv) < 0)
                abort();
        told.event = event;
        if (ask[data[0] & 3](r, NAME, TIMEOUT, on_answer, &told, &q) < 0)
                abort();
        if (sd_event_loop(event) < 0 || told.n != 1)
                abort();
        return 0;
}
