/* The decision of ray-probe over TLS and membership (60 to 69), on recorded evidence, and its
 * words. */
#include "test.h"

#include <errno.h>

#include "evidence.h"

#include "wire/tls-record.h"

#define HOUR (60 * USEC_PER_MIN)
#define NOW  (1795600000 * USEC_PER_SEC) /* 2026-11-25 09:46:40 UTC */

/* What a GCS of Ray 2.60 with TLS on shows to who knows its authority and has a certificate. */
static Evidence good(void)
{
        Evidence e = far();
        e.tls_wanted = true;
        strcpy(e.tls_ca_file, "/etc/ray/ca.pem");
        strcpy(e.tls_cert_file, "/etc/ray/node.pem");
        e.tcp = (ConnectFacts){.outcome = CONNECT_ESTABLISHED, .took = MS, .n_sockets = 1};
        e.hello = (HelloFacts){
                .asked = true, .kind = SERVICE_GRPC, .took = 5 * MS, .stream_known = true};
        e.tls = (TlsFacts){
                .outcome = TLS_OUTCOME_OPEN,
                .spoken = true,
                .negotiated = true,
                .protocol = "TLSv1.3",
                .alpn = "h2",
                .alert = -1,
                .peer = {.known = true,
                         .subject = "CN=compute04",
                         .issuer = "CN=lab CA",
                         .names = "DNS:compute04, IP:10.77.2.2",
                         .sha256 = "AA:AA",
                         .not_before = NOW - 24 * HOUR,
                         .not_after = NOW + 24 * HOUR},
                .now = NOW,
                .addr_fits = true,
                .name_fits = true,
                .ca = {.known = true, .subject = "CN=lab CA", .sha256 = "CC:CC"},
                .ca_same_name = true,
                .own = {.known = true,
                        .subject = "CN=w7",
                        .issuer = "CN=lab CA",
                        .not_before = NOW - HOUR,
                        .not_after = NOW + HOUR},
                .own_trusted = true,
                .wants_cert = true,
                .wants_known = true,
                .own_fits = true,
                .wants = "CN=lab CA",
        };
        e.alive.outcome = ALIVE_OK;
        strcpy(e.alive.text, "serving");
        strcpy(e.head.ray, "2.60.0");
        return e;
}

/* It hung up right behind the handshake, as gRPC does. */
static Evidence hung_up(void)
{
        Evidence e = good();
        e.hello = (HelloFacts){.asked = true, .kind = SERVICE_CLOSED, .took = 5 * MS};
        e.tls.outcome = TLS_OUTCOME_CLOSED;
        e.alive = (AliveFacts){.outcome = ALIVE_NOT_ASKED};
        e.head = (Versions){0};
        return e;
}

static Evidence without_tls(ServiceKind kind)
{
        Evidence e = hung_up();
        e.tls = (TlsFacts){.outcome = TLS_OUTCOME_NOT_SPOKEN, .alert = -1};
        e.hello.kind = kind;
        e.hello.stream_known = true;
        return e;
}

static bool has(char *const *l, const char *begin)
{
        STRV_FOREACH (s, l)
                if (startswith(*s, begin))
                        return true;
        return false;
}

/* sentence and because: words that must be there, or NULL. */
#define CHECK(e, v, c, sentence, because) check(&(e), (v), (c), (sentence), (because), __LINE__)
static Judgement check(const Evidence *e, Verdict v, ProbeConfidence c, const char *sentence,
                       const char *because, int line)
{
        Judgement j = judged(e, v, c, line);
        _cleanup_strv_free_ char **f = NULL;
        if (sentence)
                says_at(e, SENTENCE, sentence, line);
        if (because)
                says_at(e, BECAUSE, because, line);
        assert_int_equal(text_facts(e, &f), 0);
        assert_int_equal(has(f, "tls_sha256="), e->tls.peer.known);
        return j;
}

static void test_good(void **state)
{
        Evidence e = good();
        CHECK(e, VERDICT_OK, PROBE_PROVEN, "serves Ray 2.60.0", "it speaks TLSv1.3, h2");
        /* the certificate need not have the name: Ray dials the address */
        e.tls.name_fits = false;
        CHECK(e, VERDICT_OK, PROBE_PROVEN, NULL, NULL);
        /* all the rest is asked as without TLS */
        e.alive.outcome = ALIVE_NO_METHOD;
        CHECK(e, VERDICT_NOT_RAY, PROBE_PROVEN, NULL, NULL);
}

static void test_required(void **state)
{
        Evidence e = hung_up();
        e.tls_wanted = false;
        e.hello.tls = true;
        e.tls.untrusted = true; /* nobody was asked to trust it */
        e.tls.addr_fits = false;
        CHECK(e, VERDICT_TLS_REQUIRED, PROBE_PROVEN, "speaks only TLS on port 6379",
              "its certificate is CN=compute04 for DNS:compute04, IP:10.77.2.2 by CN=lab CA, valid "
              "until 2026-11-26 09:46:40 UTC; it asks for a certificate by CN=lab CA");
        says(&e, HINT, "RAY_TLS_SERVER_CERT");
        says(&e, HINT, "--tls-ca");
        Judgement j;
        judge(&e, &j);
        _cleanup_free_ char *b = text_because(&e, &j);
        assert_null(strstr(b, "besides"));
}

static void test_not_spoken(void **state)
{
        Evidence e = without_tls(SERVICE_GRPC);
        CHECK(e, VERDICT_TLS_NOT_SPOKEN, PROBE_PROVEN, "speaks no TLS on port 6379",
              "what answers to a TLS greeting is no TLS");
        says(&e, HINT, "unset RAY_USE_TLS");
        e.tls.outcome = TLS_OUTCOME_CLOSED;
        CHECK(e, VERDICT_TLS_NOT_SPOKEN, PROBE_PROVEN, NULL, "it hangs up on a TLS greeting");
        e = without_tls(SERVICE_HTTP2);
        CHECK(e, VERDICT_TLS_NOT_SPOKEN, PROBE_LIKELY, NULL, NULL);
        e = without_tls(SERVICE_UNKNOWN);
        CHECK(e, VERDICT_TLS_NOT_SPOKEN, PROBE_LIKELY, NULL, NULL);
        /* another service is another service, in TLS or without */
        e = without_tls(SERVICE_REDIS);
        CHECK(e, VERDICT_NOT_RAY, PROBE_PROVEN, "Redis", NULL);
        e = without_tls(SERVICE_CLOSED);
        CHECK(e, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_LIKELY, NULL, NULL);
        e.hello.by_http = SERVICE_HTTP1;
        CHECK(e, VERDICT_NOT_RAY, PROBE_PROVEN, "HTTP/1", NULL);
        e = without_tls(SERVICE_TLS);
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, NULL, NULL);
}

static void test_silence(void **state)
{
        /* not a byte to the ClientHello, which its kernel has */
        Evidence e = without_tls(SERVICE_UNKNOWN);
        e.tls.outcome = TLS_OUTCOME_UNDER_WAY;
        e.hello.took = 2000 * MS;
        CHECK(e, VERDICT_SERVICE_FROZEN, PROBE_LIKELY, NULL, "its kernel took the greeting");
        e.hello.second_silent = true;
        CHECK(e, VERDICT_SERVICE_FROZEN, PROBE_PROVEN, NULL, NULL);
        /* a large certificate in a hole */
        e.hello.second_silent = false;
        e.hello.second_spoke = true;
        CHECK(e, VERDICT_MTU_HOLE_IN, PROBE_LIKELY, "large packets from head",
              "in segments of 536 bytes it answers");
        /* a handshake that began and does not end */
        e.tls.spoken = e.hello.began = true;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, NULL, NULL);
        /* through the handshake, then nothing */
        e = good();
        e.alive = (AliveFacts){.outcome = ALIVE_NOT_ASKED};
        e.hello.kind = SERVICE_UNKNOWN;
        e.hello.took = 2000 * MS;
        CHECK(e, VERDICT_SERVICE_FROZEN, PROBE_LIKELY, NULL, "it speaks TLSv1.3");
}

static void test_client_cert(void **state)
{
        Evidence e = hung_up();

        /* none, and it hangs up without a word */
        e.tls.own = (TlsCert){0};
        e.tls.own_fits = false;
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN, "and none is given",
              "right behind the TLS handshake it hangs up");
        says(&e, HINT, "set RAY_TLS_SERVER_CERT and RAY_TLS_SERVER_KEY");
        /* TLS 1.2: in the handshake */
        e.tls.negotiated = false;
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN, NULL,
              "in the TLS handshake it hangs up");
        /* it says so */
        e.tls.outcome = TLS_OUTCOME_REFUSED;
        e.tls.alert = TLS_ALERT_CERTIFICATE_REQUIRED;
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN, NULL,
              "the alert \"certificate required\"");

        /* one by somebody else */
        e = hung_up();
        e.tls.own_fits = false;
        strcpy(e.tls.own.issuer, "CN=other CA");
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN,
              "it is by CN=other CA, and wanted is one by CN=lab CA",
              "ours in /etc/ray/node.pem is CN=w7 by CN=other CA");
        says(&e, HINT, "openssl verify -CAfile /etc/ray/ca.pem /etc/ray/node.pem");
        /* a path that a shell would read as more than a word is not pasted */
        strcpy(e.tls_cert_file, "/tmp/a b;c");
        says(&e, HINT, "/etc/ray/ca.pem \"$RAY_TLS_SERVER_CERT\"");

        e = hung_up();
        e.tls.own.not_after = NOW - 3 * HOUR;
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN, "it expired 3h ago", NULL);
        e = hung_up();
        e.tls.own.not_before = NOW + HOUR;
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN, "not valid before 1h from now", NULL);

        /* nothing wrong with ours that could be seen here: an unknown reason */
        e = hung_up();
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_LIKELY, "does not accept", NULL);
        /* it does not say whose it takes; Ray has one CA file for both directions */
        e.tls.wants_known = e.tls.own_trusted = false;
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_LIKELY, "which our own CA file does not have",
              NULL);
        e.tls.outcome = TLS_OUTCOME_REFUSED;
        e.tls.alert = 48;
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN, NULL, "unknown ca");
        e.tls.alert = 45; /* by the head's clock */
        CHECK(e, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN, NULL, "certificate expired");

        /* not asked for one: it is something else that makes it hang up */
        e = hung_up();
        e.tls.wants_cert = e.tls.wants_known = false;
        CHECK(e, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_LIKELY, NULL, NULL);
}

static void test_untrusted(void **state)
{
        Evidence e = hung_up();
        e.tls.untrusted = true;
        e.tls.verify_error = 20;
        strcpy(e.tls.verify_text, "unable to get local issuer certificate");
        CHECK(e, VERDICT_CERT_UNTRUSTED, PROBE_PROVEN, "of the same name as ours", "SHA-256 AA:AA");
        CHECK(e, VERDICT_CERT_UNTRUSTED, PROBE_PROVEN, NULL,
              "our CA file /etc/ray/ca.pem has CN=lab CA, SHA-256 CC:CC");
        says(&e, HINT, "openssl x509 -noout -fingerprint -sha256 -in /etc/ray/ca.pem");
        e.tls.ca_same_name = false;
        CHECK(e, VERDICT_CERT_UNTRUSTED, PROBE_PROVEN, "an authority that is not in our CA file",
              NULL);
        strcpy(e.tls.peer.issuer, e.tls.peer.subject);
        CHECK(e, VERDICT_CERT_UNTRUSTED, PROBE_PROVEN, "has signed itself", NULL);
        /* everything else that is wrong is named, too */
        e.tls.addr_fits = false;
        e.tls.late = true;
        e.tls.dated = e.tls.peer;
        CHECK(e, VERDICT_CERT_UNTRUSTED, PROBE_PROVEN, NULL,
              "besides, the certificate has expired; besides, the certificate is not for "
              "10.77.2.2");
        e.tls.ca = (TlsCert){0};
        e.tls_ca_file[0] = 0;
        CHECK(e, VERDICT_CERT_UNTRUSTED, PROBE_PROVEN, "no CA file is given", NULL);
        says(&e, HINT, "set RAY_TLS_CA_CERT");
}

static void test_name(void **state)
{
        Evidence e = good();
        e.alive = (AliveFacts){.outcome = ALIVE_NOT_ASKED};
        e.tls.addr_fits = false;
        strcpy(e.tls.peer.names, "DNS:compute04");
        /* the GCS could be reached by the name; the nodes could not */
        CHECK(e, VERDICT_CERT_NAME, PROBE_LIKELY, "Ray's nodes know each other by address", NULL);
        says(&e, HINT, "subjectAltName IP:10.77.2.2");
        e.tls.name_fits = false;
        strcpy(e.tls.peer.names, "IP:10.9.9.9");
        CHECK(e, VERDICT_CERT_NAME, PROBE_PROVEN, "is not for 10.77.2.2 but for IP:10.9.9.9", NULL);
        e.tls.peer.names[0] = 0;
        CHECK(e, VERDICT_CERT_NAME, PROBE_PROVEN, "but for no address at all", NULL);
}

static void test_time(void **state)
{
        Evidence e = good();
        e.alive = (AliveFacts){.outcome = ALIVE_NOT_ASKED};
        e.tls.peer.not_before = NOW + 2 * HOUR + 180 * USEC_PER_SEC;
        e.tls.early = true;
        e.tls.dated = e.tls.peer;
        Judgement j = CHECK(e, VERDICT_CERT_TIME, PROBE_PROVEN,
                            "is not valid before 2026-11-25 11:49:40 UTC, and this machine's clock "
                            "is 2h 3min before that",
                            "the clock here says 2026-11-25 09:46:40 UTC; ");
        assert_int_equal(j.place, PROBE_PLACE_HEAD);

        e.clock = (ClockFacts){.known = true, .synced = true};
        j = CHECK(e, VERDICT_CERT_TIME, PROBE_PROVEN, NULL, "UTC and is synchronised");
        assert_int_equal(j.place, PROBE_PLACE_HEAD);
        says(&e, HINT, "subjectAltName");

        /* a clock that nobody keeps is the likelier cause */
        e.clock.synced = false;
        j = CHECK(e, VERDICT_CERT_TIME, PROBE_PROVEN, "clock, which nobody keeps,",
                  "is not synchronised");
        assert_int_equal(j.place, PROBE_PLACE_HERE);
        e.keepers.clock = CLOCK_KEEPER_CHRONY;
        says(&e, HINT, "here, as root: systemctl enable --now chronyd && chronyc makestep");

        /* and the other side has looked at the clock */
        e.other = (Reflection){
                .clock_known = true,
                .clock_offset_usec = 3 * (int64_t)HOUR,
        };
        CHECK(e, VERDICT_CERT_TIME, PROBE_PROVEN, NULL, "it is 3h behind the head's");

        e = good();
        e.alive = (AliveFacts){.outcome = ALIVE_NOT_ASKED};
        e.clock = (ClockFacts){.known = true};
        e.tls.late = true;
        e.tls.peer.not_after = NOW - 600 * USEC_PER_SEC;
        e.tls.dated = e.tls.peer;
        e.tls.addr_fits = false;
        j = CHECK(e, VERDICT_CERT_TIME, PROBE_PROVEN, "expired 10min ago",
                  "besides, the certificate is not for 10.77.2.2");
        assert_int_equal(j.place, PROBE_PLACE_HEAD);
        /* the authority's certificate */
        strcpy(e.tls.dated.sha256, "CC:CC");
        CHECK(e, VERDICT_CERT_TIME, PROBE_PROVEN, "of the authority behind head", NULL);
}

static void test_broken(void **state)
{
        Evidence e = hung_up();
        e.tls.negotiated = e.tls.wants_cert = e.tls.peer.known = false;
        e.tls.outcome = TLS_OUTCOME_BROKEN;
        strcpy(e.tls.text, "unsupported protocol");
        CHECK(e, VERDICT_NOT_RAY, PROBE_LIKELY, "speaks TLS as Ray does not: unsupported protocol",
              NULL);
        e.tls.outcome = TLS_OUTCOME_REFUSED;
        e.tls.alert = TLS_ALERT_NO_APPLICATION_PROTOCOL;
        CHECK(e, VERDICT_NOT_RAY, PROBE_PROVEN, "no HTTP/2 in it", NULL);
        e.tls.alert = 80;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE,
              "ends the TLS handshake with the alert \"internal error\"", NULL);
        e.tls.alert = 200;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, "of an unknown number", "number 200");
        /* HTTP/1 in TLS */
        e = good();
        e.alive = (AliveFacts){.outcome = ALIVE_NOT_ASKED};
        e.hello.kind = SERVICE_HTTP1;
        CHECK(e, VERDICT_NOT_RAY, PROBE_PROVEN, "HTTP/1", NULL);
}

static void test_member(void **state)
{
        Evidence e = good();
        e.alive.outcome = ALIVE_TOKEN;
        CHECK(e, VERDICT_TOKEN_REQUIRED, PROBE_PROVEN, "asks for a token",
              "RAY_AUTH_TOKEN, the file that RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token");
        e.has_token = true;
        strcpy(e.token_from, "--token-file /tmp/t");
        CHECK(e, VERDICT_TOKEN_WRONG, PROBE_PROVEN, "does not accept this machine's token",
              "ours is from --token-file /tmp/t");
        says(&e, HINT, "raycluster token create | raycluster join -");

        e = good();
        e.alive.outcome = ALIVE_WRONG_CLUSTER;
        CHECK(e, VERDICT_WRONG_CLUSTER, PROBE_PROVEN, "belongs to another cluster", NULL);
        strcpy(e.alive.cluster, "aaaa");
        strcpy(e.cluster, "bbbb");
        CHECK(e, VERDICT_WRONG_CLUSTER, PROBE_PROVEN, NULL, "its cluster is aaaa, ours bbbb");

        e = good();
        strcpy(e.here.ray, "2.59.0");
        CHECK(e, VERDICT_VERSION_MISMATCH, PROBE_PROVEN,
              "the head runs Ray 2.60.0, this machine has Ray 2.59.0", NULL);
        says(&e, HINT, "raycluster-engine-2.60");
        strcpy(e.here.ray, "2.60.0");
        strcpy(e.head.python, "3.11.2");
        strcpy(e.here.python, "3.11.7");
        CHECK(e, VERDICT_VERSION_MISMATCH, PROBE_PROVEN, "Python 3.11.2", NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),        cmocka_unit_test(test_required),
                cmocka_unit_test(test_not_spoken),  cmocka_unit_test(test_silence),
                cmocka_unit_test(test_client_cert), cmocka_unit_test(test_untrusted),
                cmocka_unit_test(test_name),        cmocka_unit_test(test_time),
                cmocka_unit_test(test_broken),      cmocka_unit_test(test_member),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
