/* What dials the control port, or answers in its place, and is TLS but not ours: another
 * application protocol or none, and TLS 1.2 at most. Nothing of ours is said to it. */
#include "gate-world.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

static const uint8_t ours[] = "\x0c" TLS_LINK_ALPN, other[] = "\x08http/1.1";

/* OpenSSL as it comes, on the loop. */
typedef struct Foreign {
        World *world;
        SSL_CTX *context;
        SSL *ssl;
        sd_event_source *source;
        int fd, listener;
        bool negotiated, over;
        int version;   /* that was negotiated */
        int alert;     /* that came, -1 = none */
        size_t n_data; /* what came inside */
} Foreign;

typedef struct Manners {
        int max_version;
        const uint8_t *alpn; /* NULL = none */
        size_t n_alpn;
} Manners;

static void on_foreign_info(const SSL *ssl, int where, int value)
{
        Foreign *f = SSL_get_app_data(ssl);

        if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
                f->alert = value & 0xff;
}

static void foreign_step(Foreign *f)
{
        char data[256];
        int r = 1;

        ERR_clear_error();
        if (!f->negotiated) {
                r = SSL_do_handshake(f->ssl);
                f->negotiated = r == 1;
                f->version = SSL_version(f->ssl);
        }
        while (r > 0) {
                r = SSL_read(f->ssl, data, sizeof(data));
                f->n_data += r > 0 ? (size_t)r : 0;
        }
        if (SSL_get_error(f->ssl, r) == SSL_ERROR_WANT_READ)
                return;
        f->over = true;
        f->source = sd_event_source_disable_unref(f->source);
        f->fd = safe_close(f->fd);
}

static int on_foreign_io(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        foreign_step(userdata);
        return 0;
}

static int on_foreign_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *in, unsigned in_size, void *userdata)
{
        const Manners *m = userdata;

        if (!m->alpn)
                return SSL_TLSEXT_ERR_NOACK;
        *out = m->alpn + 1; /* whatever was offered */
        *out_size = m->alpn[0];
        return SSL_TLSEXT_ERR_OK;
}

static void foreign_init(Foreign *f, World *w, const SSL_METHOD *method, const Manners *m)
{
        *f = (Foreign){.world = w, .context = SSL_CTX_new(method), .alert = -1};
        assert_non_null(f->context);
        f->fd = f->listener = -EBADF;
        assert_int_equal(SSL_CTX_set_max_proto_version(f->context, m->max_version), 1);
}

static void foreign_begin(Foreign *f, int fd)
{
        f->fd = fd;
        assert_true(fcntl(fd, F_SETFL, O_NONBLOCK) >= 0);
        f->ssl = SSL_new(f->context);
        assert_non_null(f->ssl);
        assert_int_equal(SSL_set_fd(f->ssl, fd), 1);
        assert_int_equal(SSL_set_app_data(f->ssl, f), 1);
        SSL_set_info_callback(f->ssl, on_foreign_info);
        assert_true(sd_event_add_io(f->world->event, &f->source, fd, EPOLLIN, on_foreign_io, f) >=
                    0);
}

static void foreign_done(Foreign *f)
{
        sd_event_source_disable_unref(f->source);
        SSL_free(f->ssl);
        SSL_CTX_free(f->context);
        safe_close(f->fd);
        safe_close(f->listener);
}

/* Dials the gate, until it hangs up or has said something. */
static void foreign_dial(Foreign *f, World *w, const Manners *m)
{
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(&w->at, &sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        foreign_init(f, w, TLS_client_method(), m);
        if (m->alpn)
                assert_int_equal(SSL_CTX_set_alpn_protos(f->context, m->alpn, (unsigned)m->n_alpn),
                                 0);
        assert_int_equal(connect(fd, &sa.sa, len), 0);
        foreign_begin(f, fd);
        SSL_set_connect_state(f->ssl);
        foreign_step(f);
        WAIT(w, f->over || f->n_data > 0);
}

static int on_foreign_listener(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        Foreign *f = userdata;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        assert_true(client >= 0);
        f->source = sd_event_source_disable_unref(f->source);
        foreign_begin(f, client);
        SSL_set_accept_state(f->ssl);
        foreign_step(f);
        return 0;
}

/* Listens in the head's place, and shows what the head would show. */
static void foreign_serve(Foreign *f, World *w, const Manners *m, Addr *ret)
{
        char path[64];

        foreign_init(f, w, TLS_server_method(), m);
        (void)snprintf(path, sizeof(path), "%s/identity.pem", w->m.dir);
        assert_int_equal(SSL_CTX_use_certificate_chain_file(f->context, path), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(f->context, path, SSL_FILETYPE_PEM), 1);
        SSL_CTX_set_alpn_select_cb(f->context, on_foreign_alpn, (void *)m);
        f->listener = listen_on(ret);
        assert_true(sd_event_add_io(w->event, &f->source, f->listener, EPOLLIN, on_foreign_listener,
                                    f) >= 0);
}

/* --- at the head's port -------------------------------------------------------------------------
 */

/* The way it is meant to be: the head says Hello. */
static void test_dial_ours(void **state)
{
        const Manners m = {TLS1_3_VERSION, ours, sizeof(ours) - 1};
        Foreign f;
        World w;

        world_init(&w);
        foreign_dial(&f, &w, &m);
        assert_true(f.negotiated && f.n_data > 0);
        assert_int_equal(f.version, TLS1_3_VERSION);
        assert_int_equal(f.alert, -1);
        foreign_done(&f);
        world_done(&w);
}

static void refused(const Manners *m, bool negotiated, int alert)
{
        Foreign f;
        World w;

        world_init(&w);
        foreign_dial(&f, &w, m);
        assert_int_equal(f.n_data, 0); /* not so much as a Hello */
        assert_int_equal(f.negotiated, negotiated);
        assert_int_equal(f.alert, alert);
        WAIT(&w, gate_strangers(w.gate) == 0);
        foreign_done(&f);
        world_done(&w);
}

static void test_dial_other_alpn(void **state)
{
        refused(&(Manners){TLS1_3_VERSION, other, sizeof(other) - 1}, false,
                SSL_AD_NO_APPLICATION_PROTOCOL);
}

/* Who names none is through with the handshake before the head may say no. */
static void test_dial_no_alpn(void **state)
{
        refused(&(Manners){TLS1_3_VERSION, NULL, 0}, true, -1);
}

static void test_dial_old_tls(void **state)
{
        refused(&(Manners){TLS1_2_VERSION, ours, sizeof(ours) - 1}, false, SSL_AD_PROTOCOL_VERSION);
}

/* --- in the head's place ------------------------------------------------------------------------
 */

static const char no_port[] = "what answers there is no control port of raycluster";

/* A machine with a token comes there, and then a member: what came of it, and what was told. */
static void answer(const Manners *m, const char *member_says)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        Foreign first, second;
        JoinToken t;
        World w;
        Addr at;

        member(&w, &i);
        t = token_of(&w, "abcdefgh");
        foreign_serve(&first, &w, m, &at);
        join_at(&w, &t, &at);
        assert_int_equal(w.join.end, JOIN_UNREACHABLE);
        assert_non_null(
                strstr(w.join.text, "is no control port of raycluster; ray-probe says more"));
        WAIT(&w, first.over);
        assert_int_equal(first.n_data, 0); /* above all no proof of a token */
        foreign_done(&first);

        foreign_serve(&second, &w, m, &w.at);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.losses == 1 && second.over);
        if (member_says)
                assert_string_equal(w.why, member_says);
        assert_int_equal(second.n_data, 0);
        foreign_done(&second);
        world_done(&w);
}

static void test_answer_other_alpn(void **state)
{
        answer(&(Manners){TLS1_3_VERSION, other, sizeof(other) - 1}, no_port);
}

static void test_answer_no_alpn(void **state)
{
        answer(&(Manners){TLS1_3_VERSION, NULL, 0}, no_port);
}

static void test_answer_old_tls(void **state)
{
        answer(&(Manners){TLS1_2_VERSION, ours, sizeof(ours) - 1}, NULL);
}

/* The same server, as it should be: it is the head for all that TLS can tell. */
static void test_answer_ours(void **state)
{
        const Manners m = {TLS1_3_VERSION, ours, sizeof(ours) - 1};
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        Foreign f;
        World w;

        member(&w, &i);
        foreign_serve(&f, &w, &m, &w.at);
        l = link_as(&w, &i, "b1");
        WAIT(&w, f.n_data > 0);
        assert_int_equal(w.losses, 0);
        foreign_done(&f);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dial_ours),         cmocka_unit_test(test_dial_other_alpn),
                cmocka_unit_test(test_dial_no_alpn),      cmocka_unit_test(test_dial_old_tls),
                cmocka_unit_test(test_answer_other_alpn), cmocka_unit_test(test_answer_no_alpn),
                cmocka_unit_test(test_answer_old_tls),    cmocka_unit_test(test_answer_ours),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
