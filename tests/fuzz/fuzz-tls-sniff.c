/* Any bytes as a server's side of a TLS connection: what they are is said once and for ever, no
 * prefix is taken for another thing, and the client comes to an end on them, within its bounds. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/tls-client.h"
#include "wire/tls-record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
        if (!good)
                abort();
}

static void sniff(const uint8_t *data, size_t size)
{
        TlsSniff first = TLS_SNIFF_MORE;
        int alert;

        for (size_t n = 0; n <= size && n <= 64; n++) {
                uint8_t *exact = malloc(n ? n : 1);
                if (!exact)
                        return;
                memcpy(exact, data, n);
                TlsSniff s = tls_sniff(exact, n, &alert);
                free(exact);
                check(first == TLS_SNIFF_MORE || s == first);
                check(alert == -1 || (s == TLS_SNIFF_ALERT && alert <= 255));
                (void)tls_alert_name(alert);
                first = s;
        }
}

static bool is_text(const char *s, size_t size)
{
        size_t n = strnlen(s, size);
        for (size_t i = 0; i < n; i++)
                if (s[i] < 0x20 || s[i] > 0x7e)
                        return false;
        return n < size;
}

static void check_cert(const TlsCert *c)
{
        check(is_text(c->subject, sizeof(c->subject)) && is_text(c->issuer, sizeof(c->issuer)) &&
              is_text(c->names, sizeof(c->names)) && is_text(c->sha256, sizeof(c->sha256)));
}

/* As the stream does it, with everything in the socket and an end behind it. */
static void talk(const TlsContext *c, int fd)
{
        Addr addr = {.family = AF_INET};
        TlsClient *client = NULL;
        uint32_t events;
        char buf[4096];
        TlsFacts f;

        check(tls_client_new(c, "compute04", &addr, false, &client) >= 0);
        ssize_t r = -EAGAIN;
        for (int i = 0; r == -EAGAIN; i++) {
                check(i < 200000);
                r = tls_client_layer.handshake(client, fd, &events);
        }
        while (r >= 0 || r == -EAGAIN) {
                r = tls_client_layer.read(client, fd, buf, sizeof(buf), &events);
                if (r == 0)
                        break;
        }
        tls_client_facts(client, &f);
        check(tls_facts_ended(&f));
        check(f.alert >= -1 && f.alert <= 255);
        check((f.outcome == TLS_OUTCOME_REFUSED) == (f.alert >= 0));
        check_cert(&f.peer);
        check_cert(&f.dated);
        check(is_text(f.wants, sizeof(f.wants)) && is_text(f.text, sizeof(f.text)) &&
              is_text(f.alpn, sizeof(f.alpn)));
        tls_client_free(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static TlsContext *context;
        TlsMistake m;
        int fds[2];

        sniff(data, size);
        if (!context)
                check(tls_context_new(&(TlsFiles){0}, &m, &context) >= 0);
        if (size > 100000 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
                return 0;
        /* what the kernel takes at once is what there is */
        (void)!send(fds[1], data, size, MSG_NOSIGNAL);
        (void)shutdown(fds[1], SHUT_WR);
        talk(context, fds[0]);
        (void)safe_close(fds[0]);
        (void)safe_close(fds[1]);
        return 0;
}
