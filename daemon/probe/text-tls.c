/* TLS, in words: what is wrong, and what to do. The files have the names that Ray gives them. */
#include <stdio.h>
#include <time.h>

#include "probe/phrase.h"
#include "probe/remedy.h"
#include "wire/tls-record.h"

const char *utc_text(usec_t t, char buf[UTC_MAX])
{
        time_t s = (time_t)(t / USEC_PER_SEC);
        struct tm tm;

        if (t == USEC_INFINITY || !gmtime_r(&s, &tm) ||
            strftime(buf, UTC_MAX, "%F %T UTC", &tm) == 0)
                return "an unknown time";
        return buf;
}

/* Whole seconds: nobody wants the milliseconds of a validity. */
const char *span_text(usec_t t, char buf[DURATION_MAX])
{
        return format_duration(buf, MAX(t / USEC_PER_SEC, (usec_t)1) * USEC_PER_SEC);
}

static char *sentence_time(const Evidence *e, const Judgement *j, const char *head)
{
        const TlsFacts *t = &e->tls;
        const TlsCert *c = &t->dated;
        char at[UTC_MAX], span[DURATION_MAX];
        bool own = streq(c->sha256, t->peer.sha256);

        if (t->early)
                return str_printf("the certificate of %shead %s is not valid before %s, and this "
                                  "machine's clock%s is %s before that",
                                  own ? "" : "the authority behind ", head,
                                  utc_text(c->not_before, at),
                                  j->place == PROBE_PLACE_HERE ? ", which nobody keeps," : "",
                                  span_text(usec_sub(c->not_before, t->now), span));
        return str_printf(
                "the certificate of %shead %s expired %s ago by this machine's clock, on %s",
                own ? "" : "the authority behind ", head,
                span_text(usec_sub(t->now, c->not_after), span), utc_text(c->not_after, at));
}

static char *sentence_untrusted(const Evidence *e, const char *head)
{
        const TlsFacts *t = &e->tls;

        if (!t->ca.known)
                return str_printf("no CA file is given here, and no authority that this system "
                                  "knows has signed the certificate of head %s",
                                  head);
        if (t->ca_same_name)
                return str_printf("head %s has a certificate by an authority of the same name as "
                                  "ours and with another key: it was made anew",
                                  head);
        if (streq(t->peer.subject, t->peer.issuer))
                return str_printf("head %s shows a certificate that it has signed itself", head);
        return str_printf("the certificate of head %s is signed by an authority that is not in our "
                          "CA file",
                          head);
}

static char *sentence_name(const Evidence *e, const char *head)
{
        char addr[ADDR_MAX];

        addr_format(addr, &e->addr);
        if (e->tls.name_fits)
                return str_printf("the certificate of head %s is for the name alone, not for %s: "
                                  "Ray's nodes know each other by address",
                                  head, addr);
        return str_printf("the certificate of head %s is not for %s but for %s", head, addr,
                          isempty(e->tls.peer.names) ? "no address at all" : e->tls.peer.names);
}

static char *sentence_client_cert(const Evidence *e, const char *head)
{
        const TlsFacts *t = &e->tls;
        char span[DURATION_MAX];

        if (!t->own.known)
                return str_printf("head %s wants a certificate of this machine, and none is given",
                                  head);
        if (t->own.not_after < t->now)
                return str_printf("head %s does not accept this machine's certificate: it expired "
                                  "%s ago",
                                  head, span_text(usec_sub(t->now, t->own.not_after), span));
        if (t->own.not_before > t->now)
                return str_printf("head %s does not accept this machine's certificate: it is not "
                                  "valid before %s from now",
                                  head, span_text(usec_sub(t->own.not_before, t->now), span));
        if (t->wants_known && !t->own_fits)
                return str_printf("head %s does not accept this machine's certificate: it is by "
                                  "%s, and wanted is one by %s",
                                  head, t->own.issuer, t->wants);
        if (!t->own_trusted)
                return str_printf("head %s does not accept this machine's certificate: it is by "
                                  "%s, which our own CA file does not have",
                                  head, t->own.issuer);
        return str_printf("head %s does not accept this machine's certificate", head);
}

char *sentence_tls(const Evidence *e, const Judgement *j, const char *head)
{
        switch (j->verdict) {
        case VERDICT_TLS_REQUIRED:
                return str_printf("head %s speaks only TLS on port %u, and was asked without", head,
                                  e->addr.port);
        case VERDICT_TLS_NOT_SPOKEN:
                return str_printf("head %s speaks no TLS on port %u, and was asked in TLS", head,
                                  e->addr.port);
        case VERDICT_CLIENT_CERT_REQUIRED:
                return sentence_client_cert(e, head);
        case VERDICT_CERT_UNTRUSTED:
                return sentence_untrusted(e, head);
        case VERDICT_CERT_NAME:
                return sentence_name(e, head);
        case VERDICT_CERT_TIME:
                return sentence_time(e, j, head);
        default:
                return NULL;
        }
}

char *sentence_tls_open(const Evidence *e, const char *head)
{
        const TlsFacts *t = &e->tls;
        const char *alert = tls_alert_name(t->alert);

        if (!e->tls_wanted || t->outcome != TLS_OUTCOME_REFUSED)
                return NULL;
        return str_printf("head %s port %u ends the TLS handshake with the alert \"%s\"", head,
                          e->addr.port, alert ? alert : "of an unknown number");
}

char *sentence_tls_foreign(const Evidence *e, const char *head)
{
        const TlsFacts *t = &e->tls;

        if (!e->tls_wanted || !t->spoken)
                return NULL;
        if (t->outcome == TLS_OUTCOME_BROKEN)
                return str_printf("port %u of %s speaks TLS as Ray does not: %s", e->addr.port,
                                  head, t->text);
        if (t->alert == TLS_ALERT_NO_APPLICATION_PROTOCOL)
                return str_printf("port %u of %s speaks TLS, and no HTTP/2 in it: it is no GCS",
                                  e->addr.port, head);
        return NULL;
}

/* A file of ours as it can be pasted; where there is none or it has a strange name, what Ray calls
 * it. */
static const char *pasted(const char *path, const char *variable)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789./_+-";
        return *path && *path != '-' && strspn(path, plain) == strlen(path) ? path : variable;
}

static const char *ca_file(const Evidence *e)
{
        return pasted(e->tls_ca_file, "\"$RAY_TLS_CA_CERT\"");
}

static char *hint_reissue(const Evidence *e, const char *name)
{
        char addr[ADDR_MAX];

        return str_printf("on %s: put a certificate with subjectAltName IP:%s in the file that "
                          "RAY_TLS_SERVER_CERT names, and start Ray anew: it reads it once",
                          name, addr_format(addr, &e->addr));
}

char *hint_tls(const Evidence *e, const Judgement *j, const char *name)
{
        switch (j->verdict) {
        case VERDICT_TLS_REQUIRED:
                return str_printf(
                        "set RAY_USE_TLS=1, RAY_TLS_CA_CERT, RAY_TLS_SERVER_CERT and "
                        "RAY_TLS_SERVER_KEY here as on %s (ray-probe: --tls-ca, --tls-cert, "
                        "--tls-key), or unset RAY_USE_TLS on %s, since raycluster starts "
                        "Ray without",
                        name, name);
        case VERDICT_TLS_NOT_SPOKEN:
                return str_printf("unset RAY_USE_TLS here (ray-probe: leave out --tls), or on %s "
                                  "start Ray with RAY_USE_TLS=1 and its three RAY_TLS_ files",
                                  name);
        case VERDICT_CLIENT_CERT_REQUIRED:
                return e->tls.own.known
                               ? str_printf(
                                         "here: openssl verify -CAfile %s %s # then put a better "
                                         "certificate there",
                                         ca_file(e),
                                         pasted(e->tls_cert_file, "\"$RAY_TLS_SERVER_CERT\""))
                               : strdup("set RAY_TLS_SERVER_CERT and RAY_TLS_SERVER_KEY here "
                                        "(ray-probe: --tls-cert, --tls-key) to this machine's "
                                        "certificate and key");
        case VERDICT_CERT_UNTRUSTED:
                return isempty(e->tls_ca_file)
                               ? str_printf("set RAY_TLS_CA_CERT here (ray-probe: --tls-ca) to a "
                                            "copy of that file of %s",
                                            name)
                               : str_printf("here: openssl x509 -noout -fingerprint -sha256 -in %s "
                                            "# the same on %s with its RAY_TLS_CA_CERT, and take "
                                            "over that file if it differs",
                                            ca_file(e), name);
        case VERDICT_CERT_NAME:
                return hint_reissue(e, name);
        case VERDICT_CERT_TIME:
                return j->place == PROBE_PLACE_HERE ? remedy_clock(e->keepers.clock, REMEDY_HERE)
                                                    : hint_reissue(e, name);
        default:
                return NULL;
        }
}
