/* The TLS client against a server of OpenSSL in the same loop, and against bytes written by hand.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/tls-client.h"
#include "tls-pki.h"
#include "wire/tls-record.h"

static char dir[] = "/tmp/test-tls-XXXXXX";
static Identity ca, ca_again, head, elsewhere, early, late, worker, stranger, worker_late;
static char *ca_file, *ca_again_file, *worker_cert, *worker_key, *stranger_cert, *stranger_key,
        *late_cert, *late_key;

static Addr A(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        a.port = 6379;
        return a;
}

static int make_pki(void **state)
{
        (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL's own sockets, those of the server, raise it */
        assert_non_null(mkdtemp(dir));
        ca = identity_new((IdentityWish){.name = "CA of tests"});
        ca_again = identity_new((IdentityWish){.name = "CA of tests"});
        head = identity_new((IdentityWish){
                .name = "head", .alt = "DNS:compute04,IP:10.77.2.2,IP:fd77:2::2", .ca = &ca});
        elsewhere = identity_new(
                (IdentityWish){.name = "elsewhere", .alt = "IP:10.9.9.9,email:a@b", .ca = &ca});
        early = identity_new((IdentityWish){
                .name = "early", .alt = "IP:10.77.2.2", .ca = &ca, .from = 7200, .until = 9999});
        late = identity_new((IdentityWish){.name = "late",
                                           .alt = "IP:10.9.9.9",
                                           .ca = &ca_again,
                                           .from = -99999,
                                           .until = -600});
        worker = identity_new((IdentityWish){.name = "worker", .ca = &ca});
        stranger = identity_new((IdentityWish){.name = "stranger"});
        worker_late = identity_new(
                (IdentityWish){.name = "worker", .ca = &ca, .from = -9999, .until = -60});
        ca_file = identity_file(dir, "ca.pem", &ca, true, false);
        ca_again_file = identity_file(dir, "ca2.pem", &ca_again, true, false);
        worker_cert = identity_file(dir, "worker.pem", &worker, true, false);
        worker_key = identity_file(dir, "worker.key", &worker, false, true);
        stranger_cert = identity_file(dir, "stranger.pem", &stranger, true, false);
        stranger_key = identity_file(dir, "stranger.key", &stranger, false, true);
        late_cert = identity_file(dir, "late.pem", &worker_late, true, false);
        late_key = identity_file(dir, "late.key", &worker_late, false, true);
        return 0;
}

static int remove_pki(void **state)
{
        char *files[] = {ca_file,       ca_again_file, worker_cert, worker_key,
                         stranger_cert, stranger_key,  late_cert,   late_key};
        Identity *ids[] = {&ca,   &ca_again, &head,     &elsewhere,  &early,
                           &late, &worker,   &stranger, &worker_late};

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                (void)unlink(files[i]);
                free(files[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(ids); i++)
                identity_done(ids[i]);
        return rmdir(dir);
}

/* --- a server in the loop ------------------------------------------------------------------------
 */

typedef struct Rules {
        const Identity *id;
        const Identity *wants; /* asks for a certificate that this one vouches for */
        bool must;             /* and takes nothing else */
        bool sulks;            /* hangs up without an alert when there is none */
        int version;           /* at most; 0 = any */
        bool no_alpn;
        size_t sends;   /* bytes after the handshake */
        size_t expects; /* bytes to read before it says "fine" */
} Rules;

typedef struct Fixture {
        sd_event *event;
        TlsContext *context;
        TlsClient *client; /* the stream's */
        Stream *stream;
        int server;
        sd_event_source *io;
        Rules rules;
        SSL_CTX *ctx;
        SSL *ssl;
        size_t sent, taken; /* of the server */
        bool connected, closed, told;
        int error;
        size_t received;
        char text[64];
} Fixture;

static void on_connected(Stream *s, void *userdata)
{
        ((Fixture *)userdata)->connected = true;
}

static void on_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        Fixture *f = userdata;
        for (size_t i = 0; i < size && f->received + i < f->rules.sends; i++)
                assert_int_equal(data[i], (f->received + i) % 251);
        if (f->received < sizeof(f->text) - 1)
                memcpy(f->text + f->received, data, MIN(size, sizeof(f->text) - 1 - f->received));
        f->received += size;
}

static void on_closed(Stream *s, int error, void *userdata)
{
        Fixture *f = userdata;
        f->closed = true;
        f->error = error;
}

static const StreamOps ops = {
        .on_connected = on_connected, .on_data = on_data, .on_closed = on_closed};

static void hang_up(Fixture *f)
{
        f->io = sd_event_source_disable_unref(f->io);
        f->server = safe_close(f->server);
}

static void serve_data(Fixture *f)
{
        uint8_t buf[8192];
        int n;

        while (f->sent < f->rules.sends) {
                size_t want = MIN(sizeof(buf), f->rules.sends - f->sent);
                for (size_t i = 0; i < want; i++)
                        buf[i] = (uint8_t)((f->sent + i) % 251);
                n = SSL_write(f->ssl, buf, (int)want);
                if (n <= 0)
                        break;
                f->sent += (size_t)n;
        }
        while ((n = SSL_read(f->ssl, buf, sizeof(buf))) > 0)
                f->taken += (size_t)n;
        bool more = SSL_get_error(f->ssl, n) == SSL_ERROR_WANT_READ;
        if (f->rules.expects > 0 && f->taken >= f->rules.expects && f->sent == f->rules.sends &&
            !f->told) {
                f->told = true;
                assert_int_equal(SSL_write(f->ssl, "fine", 4), 4);
        }
        if (!more)
                hang_up(f);
}

static int on_server_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Fixture *f = userdata;

        ERR_clear_error(); /* another one's */
        if (!SSL_is_init_finished(f->ssl)) {
                int r = SSL_do_handshake(f->ssl);
                if (r != 1) {
                        int e = SSL_get_error(f->ssl, r);
                        if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
                                hang_up(f);
                        return 0;
                }
                if (f->rules.sulks && !SSL_get0_peer_certificate(f->ssl)) {
                        hang_up(f);
                        return 0;
                }
        }
        serve_data(f);
        if (f->io)
                (void)sd_event_source_set_io_events(
                        f->io, f->sent < f->rules.sends ? EPOLLIN | EPOLLOUT : EPOLLIN);
        return 0;
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *userdata)
{
        *out = (const unsigned char *)"h2";
        *out_len = 2;
        return SSL_TLSEXT_ERR_OK;
}

static int take_any(int good, X509_STORE_CTX *store)
{
        return 1;
}

static void serve(Fixture *f)
{
        const Rules *r = &f->rules;

        f->ctx = SSL_CTX_new(TLS_server_method());
        assert_non_null(f->ctx);
        assert_int_equal(SSL_CTX_use_certificate(f->ctx, r->id->cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(f->ctx, r->id->key), 1);
        if (r->version)
                assert_int_equal(SSL_CTX_set_max_proto_version(f->ctx, r->version), 1);
        if (!r->no_alpn)
                SSL_CTX_set_alpn_select_cb(f->ctx, choose_h2, NULL);
        if (r->wants) {
                assert_int_equal(SSL_CTX_add_client_CA(f->ctx, r->wants->cert), 1);
                assert_int_equal(
                        X509_STORE_add_cert(SSL_CTX_get_cert_store(f->ctx), r->wants->cert), 1);
                SSL_CTX_set_verify(f->ctx,
                                   r->must ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                           : SSL_VERIFY_PEER,
                                   r->must ? NULL : take_any);
        }
        f->ssl = SSL_new(f->ctx);
        assert_non_null(f->ssl);
        assert_int_equal(SSL_set_fd(f->ssl, f->server), 1);
        SSL_set_accept_state(f->ssl);
        assert_true(sd_event_add_io(f->event, &f->io, f->server, EPOLLIN, on_server_io, f) >= 0);
}

static void start_to(Fixture *f, const TlsFiles *files, const char *host, const char *addr,
                     bool strict)
{
        TlsMistake mistake = {.text = "nothing"};
        int fds[2];
        Addr a = A(addr);

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                         0);
        f->server = fds[1];
        assert_true(sd_event_new(&f->event) >= 0);
        int r = tls_context_new(files, &mistake, &f->context);
        if (r < 0)
                fail_msg("%s: %s", strerror(-r), mistake.text);
        assert_int_equal(tls_client_new(f->context, host, &a, strict, &f->client), 0);
        assert_int_equal(stream_new_fd(f->event, fds[0], &ops, f, &f->stream), 0);
        stream_set_layer(f->stream, &tls_client_layer, f->client);
        if (f->rules.id)
                serve(f);
}

static void start(Fixture *f, Rules rules, const TlsFiles *files)
{
        *f = (Fixture){.rules = rules};
        start_to(f, files, "compute04", "10.77.2.2", false);
}

/* Until nobody has anything to do: all is in one thread, so nothing is on its way. */
static void turn(Fixture *f)
{
        while (sd_event_run(f->event, 0) > 0)
                ;
}

static void stop(Fixture *f)
{
        stream_free(f->stream); /* and the client */
        tls_context_free(f->context);
        sd_event_source_disable_unref(f->io);
        f->server = safe_close(f->server);
        SSL_free(f->ssl);
        SSL_CTX_free(f->ctx);
        sd_event_unref(f->event);
}

static TlsFacts facts(const Fixture *f)
{
        TlsFacts t;
        tls_client_facts(f->client, &t);
        return t;
}

static const TlsFiles *trusting(void)
{
        static TlsFiles files;
        files = (TlsFiles){.ca = ca_file};
        return &files;
}

static const TlsFiles *as_worker(void)
{
        static TlsFiles files;
        files = (TlsFiles){.ca = ca_file, .cert = worker_cert, .key = worker_key};
        return &files;
}

/* --- what goes well ------------------------------------------------------------------------------
 */

static void check_good(int version, const char *named)
{
        Fixture f;
        uint8_t block[1000] = {7};

        start(&f, (Rules){.id = &head, .version = version, .sends = 700000, .expects = 900000},
              trusting());
        turn(&f);
        assert_true(f.connected);
        for (size_t i = 0; i < 900; i++)
                assert_int_equal(stream_write(f.stream, block, sizeof(block)), 0);
        turn(&f);
        assert_false(f.closed);
        assert_int_equal(f.taken, 900000);
        assert_int_equal(f.received, 700004); /* and "fine" behind it */

        TlsFacts t = facts(&f);
        assert_int_equal(t.outcome, TLS_OUTCOME_OPEN);
        assert_true(t.negotiated);
        assert_string_equal(t.protocol, named);
        assert_string_equal(t.alpn, "h2");
        assert_false(tls_facts_defect(&t));
        assert_true(t.addr_fits && t.name_fits);
        assert_false(t.wants_cert || t.own.known);
        assert_string_equal(t.peer.subject, "CN=head");
        assert_string_equal(t.peer.issuer, "CN=CA of tests");
        assert_string_equal(t.peer.names, "DNS:compute04, IP:10.77.2.2, IP:fd77:2::2");
        assert_true(t.ca.known && t.ca_same_name);
        assert_int_equal(strlen(t.peer.sha256), 95);
        assert_int_equal(strlen(t.ca.sha256), 95);
        assert_string_not_equal(t.peer.sha256, t.ca.sha256);
        usec_t now = now_real();
        assert_true(t.now <= now && now - t.now < 10 * USEC_PER_SEC);
        assert_true(t.peer.not_before < now && now - t.peer.not_before < 3700 * USEC_PER_SEC);
        assert_true(t.peer.not_after > now && t.peer.not_after - now <= 86400 * USEC_PER_SEC);

        hang_up(&f);
        turn(&f);
        assert_true(f.closed);
        assert_int_equal(f.error, 0);
        assert_int_equal(facts(&f).outcome, TLS_OUTCOME_CLOSED);
        stop(&f);
}

static void test_good(void **state)
{
        check_good(TLS1_3_VERSION, "TLSv1.3");
        check_good(TLS1_2_VERSION, "TLSv1.2");
}

static void test_addresses(void **state)
{
        static const struct {
                const char *host, *addr;
                bool addr_fits, name_fits;
        } rows[] = {
                {NULL, "10.77.2.2", true, false},        {NULL, "fd77:2::2", true, false},
                {NULL, "10.77.2.3", false, false},       {NULL, "fd77:2::3", false, false},
                {"compute04", "10.77.2.3", false, true}, {"COMPUTE04", "10.77.2.3", false, true},
                {"compute05", "10.77.2.2", true, false},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Fixture f = {.rules = {.id = &head}};
                start_to(&f, trusting(), rows[i].host, rows[i].addr, false);
                turn(&f);
                TlsFacts t = facts(&f);
                assert_int_equal(t.outcome, TLS_OUTCOME_OPEN);
                assert_int_equal(t.addr_fits, rows[i].addr_fits);
                assert_int_equal(t.name_fits, rows[i].name_fits);
                assert_int_equal(tls_facts_defect(&t), !rows[i].addr_fits);
                stop(&f);
        }
}

static void test_no_alpn(void **state)
{
        Fixture f;
        start(&f, (Rules){.id = &head, .no_alpn = true}, trusting());
        turn(&f);
        assert_int_equal(facts(&f).outcome, TLS_OUTCOME_OPEN);
        assert_string_equal(facts(&f).alpn, "");
        stop(&f);
}

/* --- defects of the certificate ------------------------------------------------------------------
 */

static void test_untrusted(void **state)
{
        Fixture f;

        /* the CA was made anew under the same name */
        start(&f, (Rules){.id = &head}, &(TlsFiles){.ca = ca_again_file});
        turn(&f);
        TlsFacts t = facts(&f);
        assert_int_equal(t.outcome, TLS_OUTCOME_OPEN);
        assert_true(t.untrusted && t.addr_fits && !t.early && !t.late);
        assert_true(t.verify_error != X509_V_OK && !isempty(t.verify_text));
        assert_true(t.ca_same_name);
        stop(&f);

        /* quite another CA; it signed itself */
        start(&f, (Rules){.id = &stranger}, trusting());
        turn(&f);
        t = facts(&f);
        assert_true(t.untrusted && !t.ca_same_name && !t.addr_fits);
        assert_int_equal(t.verify_error, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
        assert_string_equal(t.peer.names, "");
        assert_string_equal(t.ca.subject, "CN=CA of tests");
        stop(&f);

        /* no CA file: the system's authorities do not know it */
        start(&f, (Rules){.id = &head}, &(TlsFiles){0});
        turn(&f);
        t = facts(&f);
        assert_true(t.untrusted && !t.ca.known);
        assert_int_equal(t.verify_error, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        stop(&f);
}

static void test_time(void **state)
{
        Fixture f;

        start(&f, (Rules){.id = &early}, trusting());
        turn(&f);
        TlsFacts t = facts(&f);
        assert_int_equal(t.outcome, TLS_OUTCOME_OPEN);
        assert_true(t.early && !t.late && !t.untrusted && t.addr_fits);
        assert_string_equal(t.dated.subject, "CN=early");
        assert_true(t.dated.not_before > t.now + 7000 * USEC_PER_SEC);
        stop(&f);

        /* everything at once, and everything is seen */
        start(&f, (Rules){.id = &late}, trusting());
        turn(&f);
        t = facts(&f);
        assert_true(t.late && !t.early && t.untrusted && !t.addr_fits);
        assert_string_equal(t.dated.subject, "CN=late");
        assert_true(t.dated.not_after < t.now);
        stop(&f);
}

static void test_other_names(void **state)
{
        Fixture f;
        start(&f, (Rules){.id = &elsewhere}, trusting());
        turn(&f);
        assert_string_equal(facts(&f).peer.names, "IP:10.9.9.9, and 1 more");
        stop(&f);
}

/* A certificate made to fill a screen: cut, escaped, counted. */
static void test_foreign_texts(void **state)
{
        Fixture f;
        char alt[16000] = "", name[64];

        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        memcpy(name, "\033[2J\n", 5);
        for (size_t i = 0, len = 0; i < 800; i++)
                len += (size_t)snprintf(alt + len, sizeof(alt) - len, "%sDNS:name%zu",
                                        i > 0 ? "," : "", i);
        Identity id = identity_new((IdentityWish){.name = name, .alt = alt, .ca = &ca});
        start(&f, (Rules){.id = &id}, trusting());
        turn(&f);
        TlsFacts t = facts(&f);
        assert_true(t.peer.known);
        assert_null(strchr(t.peer.subject, '\033'));
        assert_null(strchr(t.peer.subject, '\n'));
        assert_non_null(startswith(t.peer.names, "DNS:name0, DNS:name1, "));
        assert_true(endswith(t.peer.names, " more"));
        stop(&f);
        identity_done(&id);
}

static void test_strict(void **state)
{
        const Identity *bad[] = {&stranger, &elsewhere, &early, &late};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Fixture f = {.rules = {.id = bad[i]}};
                start_to(&f, trusting(), "compute04", "10.77.2.2", true);
                assert_int_equal(stream_write(f.stream, "secret", 6), 0);
                turn(&f);
                assert_false(f.connected);
                assert_true(f.closed);
                assert_int_equal(f.error, -EKEYREJECTED);
                assert_int_equal(f.taken, 0);
                stop(&f);
        }
        Fixture f = {.rules = {.id = &head}};
        start_to(&f, trusting(), "compute04", "10.77.2.2", true);
        assert_int_equal(stream_write(f.stream, "secret", 6), 0);
        turn(&f);
        assert_true(f.connected);
        assert_int_equal(f.taken, 6);
        stop(&f);
}

/* --- our own certificate -------------------------------------------------------------------------
 */

static void test_cert_wanted(void **state)
{
        Fixture f;

        /* TLS 1.3: through before the server has looked; the refusal comes with the first read */
        start(&f, (Rules){.id = &head, .wants = &ca, .must = true}, trusting());
        turn(&f);
        TlsFacts t = facts(&f);
        assert_true(f.connected && t.negotiated && t.wants_cert && t.wants_known);
        assert_string_equal(t.wants, "CN=CA of tests");
        assert_int_equal(t.outcome, TLS_OUTCOME_REFUSED);
        assert_int_equal(t.alert, TLS_ALERT_CERTIFICATE_REQUIRED);
        assert_int_equal(f.error, -ECONNREFUSED);
        stop(&f);

        /* TLS 1.2 refuses in the handshake */
        start(&f, (Rules){.id = &head, .wants = &ca, .must = true, .version = TLS1_2_VERSION},
              trusting());
        turn(&f);
        t = facts(&f);
        assert_false(f.connected || t.negotiated);
        assert_true(t.wants_cert && t.peer.known);
        assert_int_equal(t.outcome, TLS_OUTCOME_REFUSED);
        stop(&f);

        /* as gRPC does it: nothing is said */
        start(&f, (Rules){.id = &head, .wants = &ca, .sulks = true}, trusting());
        turn(&f);
        t = facts(&f);
        assert_true(f.connected && t.wants_cert);
        assert_int_equal(t.outcome, TLS_OUTCOME_CLOSED);
        assert_int_equal(t.alert, -1);
        assert_int_equal(f.error, 0);
        stop(&f);
}

static void test_cert_given(void **state)
{
        Fixture f;

        start(&f, (Rules){.id = &head, .wants = &ca, .must = true, .expects = 1}, as_worker());
        turn(&f);
        assert_int_equal(stream_write(f.stream, "x", 1), 0);
        turn(&f);
        TlsFacts t = facts(&f);
        assert_int_equal(t.outcome, TLS_OUTCOME_OPEN);
        assert_string_equal(f.text, "fine");
        assert_true(t.wants_cert && t.own_fits && t.own.known && t.own_trusted);
        assert_string_equal(t.own.subject, "CN=worker");
        stop(&f);

        start(&f, (Rules){.id = &head, .wants = &ca, .must = true},
              &(TlsFiles){.ca = ca_file, .cert = stranger_cert, .key = stranger_key});
        turn(&f);
        t = facts(&f);
        assert_int_equal(t.outcome, TLS_OUTCOME_REFUSED);
        assert_true(t.wants_known && !t.own_fits && !t.own_trusted);
        assert_true(tls_alert_is_about_certificate(t.alert));
        stop(&f);

        start(&f, (Rules){.id = &head, .wants = &ca, .must = true},
              &(TlsFiles){.ca = ca_file, .cert = late_cert, .key = late_key});
        turn(&f);
        t = facts(&f);
        assert_int_equal(t.outcome, TLS_OUTCOME_REFUSED);
        assert_true(t.own_fits && t.own_trusted && t.own.not_after < t.now);
        assert_true(tls_alert_is_about_certificate(t.alert));
        stop(&f);
}

/* --- what is no TLS ------------------------------------------------------------------------------
 */

/* Bytes instead of a server, in one piece or one at a time, then EOF if wanted. */
static TlsFacts against(const void *bytes, size_t n, size_t piece, bool eof, int *ret_error)
{
        Fixture f = {0};
        const uint8_t *first;

        start_to(&f, trusting(), NULL, "10.77.2.2", false);
        turn(&f);
        for (size_t i = 0; i < n && !f.closed; i += piece) {
                assert_true(send(f.server, (const char *)bytes + i, MIN(piece, n - i),
                                 MSG_NOSIGNAL) > 0);
                turn(&f);
        }
        if (eof)
                hang_up(&f);
        turn(&f);
        TlsFacts t = facts(&f);
        assert_false(t.negotiated || f.connected);
        size_t n_first = tls_client_first_bytes(f.client, &first);
        assert_true(n_first <= TLS_FIRST_MAX && n_first <= n);
        assert_memory_equal(first, bytes, n_first);
        if (ret_error)
                *ret_error = f.closed ? f.error : 0;
        stop(&f);
        return t;
}

static void test_not_spoken(void **state)
{
        static const struct {
                const char *bytes;
                size_t n;
        } rows[] = {
                {"\0\0\6\4\0\0\0\0\0\xfe\3\0\0\0\1", 15},
                {"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
                {"SSH-2.0-OpenSSH_9.2p1\r\n", 23},
                {"-ERR unknown command\r\n", 22},
                {"\x16\2\0\0\1\0", 6},   /* SSL 2 never looked like this */
                {"\x17\3\3\0\1\0", 6},   /* data before the handshake */
                {"\x16\3\3\xff\xff", 5}, /* longer than a record is */
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (size_t piece = 1; piece <= 64; piece += 63) {
                        int error = 0;
                        TlsFacts t = against(rows[i].bytes, rows[i].n, piece, false, &error);
                        if (t.outcome != TLS_OUTCOME_NOT_SPOKEN || error != -EPROTONOSUPPORT)
                                fail_msg("row %zu by %zu: %d, %d", i, piece, t.outcome, error);
                }
}

static void test_closed(void **state)
{
        int error;

        TlsFacts t = against("", 0, 1, true, &error);
        assert_int_equal(t.outcome, TLS_OUTCOME_CLOSED);
        assert_int_equal(error, -ECONNRESET);
        t = against("\x16\3\3\0\x7a\2\0", 7, 7, true, &error);
        assert_int_equal(t.outcome, TLS_OUTCOME_CLOSED);
        /* silence and half a record wait for whoever has a deadline */
        t = against("", 0, 1, false, NULL);
        assert_int_equal(t.outcome, TLS_OUTCOME_UNDER_WAY);
        t = against("\x16\3\3\0\x7a\2\0", 7, 7, false, NULL);
        assert_int_equal(t.outcome, TLS_OUTCOME_UNDER_WAY);
}

static void test_refused_at_once(void **state)
{
        int error;
        TlsFacts t = against("\x15\3\1\0\2\2\x28", 7, 1, true, &error);
        assert_int_equal(t.outcome, TLS_OUTCOME_REFUSED);
        assert_int_equal(t.alert, 40);
        assert_int_equal(error, -ECONNREFUSED);
        assert_false(t.peer.known);
}

static void test_broken(void **state)
{
        static const uint8_t flood[] = "\x16\3\3\0\4\0\0\0\0"; /* HelloRequest, for ever */
        _cleanup_free_ uint8_t *all = malloc(90000 * 9);
        int error;

        /* a ServerHello that is none */
        TlsFacts t = against("\x16\3\3\0\4\2\0\0\0", 9, 9, false, &error);
        assert_int_equal(t.outcome, TLS_OUTCOME_BROKEN);
        assert_int_equal(error, -EPROTO);
        assert_false(isempty(t.text));
        /* a message of 16 MiB */
        t = against("\x16\3\3\0\4\2\xff\xff\xff", 9, 9, false, &error);
        assert_int_equal(t.outcome, TLS_OUTCOME_BROKEN);
        /* warnings without end */
        for (size_t i = 0; i < 90000; i++)
                memcpy(all + 7 * i, "\x15\3\3\0\2\1\x5a", 7);
        t = against(all, 90000 * 7, 70000, false, &error);
        assert_int_equal(t.outcome, TLS_OUTCOME_BROKEN);
        /* messages that are ignored, without end */
        for (size_t i = 0; i < 90000; i++)
                memcpy(all + 9 * i, flood, 9);
        t = against(all, 90000 * 9, 90000, false, &error);
        assert_int_equal(t.outcome, TLS_OUTCOME_BROKEN);
        assert_int_equal(error, -EMSGSIZE);
}

/* Tickets without end behind the handshake: no data in them, and no end of ours but by the limit.
 */
static void test_tickets(void **state)
{
        Fixture f;
        size_t n = 0;

        start(&f, (Rules){.id = &head}, trusting());
        turn(&f);
        assert_true(f.connected);
        for (; n < 5000 && !f.closed; n++) {
                if (SSL_new_session_ticket(f.ssl) != 1 || SSL_do_handshake(f.ssl) != 1)
                        break;
                turn(&f);
        }
        assert_true(f.closed);
        assert_int_equal(f.error, -EMSGSIZE);
        assert_int_equal(facts(&f).outcome, TLS_OUTCOME_BROKEN);
        assert_true(facts(&f).negotiated);
        assert_in_range(n * 100, TLS_IDLE_MAX / 10, 2 * TLS_IDLE_MAX);
        stop(&f);
}

/* Whoever gives up early must not take what did not begin for an end. */
static void test_not_begun(void **state)
{
        Fixture f = {0};

        start_to(&f, trusting(), NULL, "10.77.2.2", false);
        TlsFacts t = facts(&f);
        assert_int_equal(t.outcome, TLS_OUTCOME_NONE);
        assert_false(tls_facts_ended(&t));
        turn(&f);
        t = facts(&f);
        assert_int_equal(t.outcome, TLS_OUTCOME_UNDER_WAY);
        assert_false(tls_facts_ended(&t));
        hang_up(&f);
        turn(&f);
        t = facts(&f);
        assert_true(tls_facts_ended(&t));
        stop(&f);
}

/* --- files ---------------------------------------------------------------------------------------
 */

static char *write_text(const char *name, const char *text)
{
        char *path = path_join(dir, name);
        assert_non_null(path);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
        return path;
}

static void test_files(void **state)
{
        _cleanup_free_ char *text = write_text("text", "no certificate\n");
        _cleanup_free_ char *empty = write_text("empty", "");
        _cleanup_free_ char *damaged = write_text(
                "damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        _cleanup_free_ char *asks =
                write_text("asks", "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
                                   "AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n"
                                   "-----END CERTIFICATE-----\n");
        _cleanup_free_ char *locked = path_join(dir, "locked");
        FILE *f = fopen(locked, "we");
        assert_non_null(f);
        assert_true(PEM_write_PrivateKey(f, worker.key, EVP_aes_128_cbc(),
                                         (const unsigned char *)"pass", 4, NULL, NULL));
        assert_int_equal(fclose(f), 0);
        const struct {
                TlsFiles files;
                TlsFile file;
                int r;
                const char *says;
        } rows[] = {
                {{.ca = "/no/such/file"}, TLS_FILE_CA, -ENOENT, "No such file"},
                {{.ca = dir}, TLS_FILE_CA, -EISDIR, "directory"},
                {{.ca = text}, TLS_FILE_CA, -EBADMSG, "not PEM: there is no certificate"},
                {{.ca = empty}, TLS_FILE_CA, -EBADMSG, "no certificate"},
                {{.ca = worker_key}, TLS_FILE_CA, -EBADMSG, "no certificate"},
                {{.ca = damaged}, TLS_FILE_CA, -EBADMSG, "damaged"},
                {{.ca = asks}, TLS_FILE_CA, -EBADMSG, "damaged"},
                {{.cert = worker_cert}, TLS_FILE_CERT, -EINVAL, "no key"},
                {{.key = worker_key}, TLS_FILE_KEY, -EINVAL, "no certificate"},
                {{.cert = text, .key = worker_key}, TLS_FILE_CERT, -EBADMSG, "not PEM"},
                {{.cert = worker_cert, .key = text}, TLS_FILE_KEY, -EBADMSG, "no private key"},
                {{.cert = worker_cert, .key = locked}, TLS_FILE_KEY, -EBADMSG, "passphrase"},
                {{.cert = worker_cert, .key = "/no"}, TLS_FILE_KEY, -ENOENT, "No such file"},
                {{.cert = worker_cert, .key = stranger_key},
                 TLS_FILE_KEY,
                 -EBADMSG,
                 "does not belong to the certificate in /tmp/test-tls"},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                TlsContext *c = NULL;
                TlsMistake m = {.file = _TLS_FILE_MAX};
                int r = tls_context_new(&rows[i].files, &m, &c);
                if (r != rows[i].r || m.file != rows[i].file || !strstr(m.text, rows[i].says) || c)
                        fail_msg("row %zu: %d, file %d, %s", i, r, m.file, m.text);
        }
        /* all in one file, as some have it */
        _cleanup_free_ char *both = identity_file(dir, "both", &worker, true, true);
        TlsContext *c = NULL;
        TlsMistake m;
        assert_int_equal(
                tls_context_new(&(TlsFiles){.ca = both, .cert = both, .key = both}, &m, &c), 0);
        tls_context_free(c);
        (void)unlink(text);
        (void)unlink(empty);
        (void)unlink(damaged);
        (void)unlink(asks);
        (void)unlink(locked);
        (void)unlink(both);
}

static void test_sniff(void **state)
{
        int alert = 0;
        assert_int_equal(tls_sniff((const uint8_t *)"", 0, &alert), TLS_SNIFF_MORE);
        assert_int_equal(tls_sniff((const uint8_t *)"\x15\3\1\0", 4, &alert), TLS_SNIFF_MORE);
        assert_int_equal(tls_sniff((const uint8_t *)"\x15\3\1\0\2\2", 6, &alert), TLS_SNIFF_ALERT);
        assert_int_equal(alert, -1);
        assert_int_equal(tls_sniff((const uint8_t *)"\x15\3\1\0\2\2\x74", 7, &alert),
                         TLS_SNIFF_ALERT);
        assert_int_equal(alert, 116);
        assert_string_equal(tls_alert_name(alert), "certificate required");
        assert_null(tls_alert_name(-1));
        assert_null(tls_alert_name(7));
        assert_null(tls_alert_name(255));
        assert_true(tls_alert_is_about_certificate(48));
        assert_false(tls_alert_is_about_certificate(47));
        assert_false(tls_alert_is_about_certificate(40));
        assert_false(tls_alert_is_about_certificate(-1));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_no_alpn),
                cmocka_unit_test(test_untrusted),
                cmocka_unit_test(test_time),
                cmocka_unit_test(test_other_names),
                cmocka_unit_test(test_foreign_texts),
                cmocka_unit_test(test_strict),
                cmocka_unit_test(test_cert_wanted),
                cmocka_unit_test(test_cert_given),
                cmocka_unit_test(test_not_spoken),
                cmocka_unit_test(test_closed),
                cmocka_unit_test(test_refused_at_once),
                cmocka_unit_test(test_broken),
                cmocka_unit_test(test_tickets),
                cmocka_unit_test(test_not_begun),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_sniff),
        };
        return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
