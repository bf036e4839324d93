/* What the TLS handshake brought. Where we were not to speak TLS, a service that wants it is a
 * matter of what answers (judge_hello). */
#include "probe/judge.h"
#include "wire/tls-record.h"

/* We spoke TLS to it, and it has none. What does it speak in the clear? */
static bool judge_no_tls(const Evidence *e, Judgement *j)
{
        switch (e->hello.kind) {
        case SERVICE_GRPC:
                say_head(e, j, VERDICT_TLS_NOT_SPOKEN, PROBE_PROVEN);
                return true;
        case SERVICE_HTTP2:
                say_head(e, j, VERDICT_TLS_NOT_SPOKEN, PROBE_LIKELY);
                return true;
        case SERVICE_UNKNOWN:
                if (e->tls.outcome != TLS_OUTCOME_NOT_SPOKEN)
                        return false;
                say_head(e, j, VERDICT_TLS_NOT_SPOKEN, PROBE_LIKELY);
                return true;
        case SERVICE_TLS: /* not to our ClientHello, and to an HTTP/2 greeting? */
                say_open(j);
                return true;
        default:
                return false;
        }
}

/* By how far our clock is off, when the certificate is not valid yet: a clock that nobody keeps is
 * likelier wrong than an authority that signs for the future. */
static void say_time(const Evidence *e, Judgement *j)
{
        if (e->tls.early && e->clock.known && !e->clock.synced)
                say_local(j, VERDICT_CERT_TIME, PROBE_PROVEN);
        else
                say_head(e, j, VERDICT_CERT_TIME, PROBE_PROVEN);
}

/* The certificate that it shows, in the order in which Ray would fail over it. */
static bool judge_cert(const Evidence *e, Judgement *j)
{
        const TlsFacts *t = &e->tls;

        if (!t->peer.known)
                return false;
        if (t->untrusted)
                say_head(e, j, VERDICT_CERT_UNTRUSTED, PROBE_PROVEN);
        else if (t->early || t->late)
                say_time(e, j);
        else if (!t->addr_fits)
                /* the GCS itself could be reached by the name */
                say_head(e, j, VERDICT_CERT_NAME, t->name_fits ? PROBE_LIKELY : PROBE_PROVEN);
        else
                return false;
        return true;
}

/* What we showed cannot please it, as far as we can see ourselves. */
static bool own_is_bad(const TlsFacts *t)
{
        return !t->own.known || (t->wants_known && !t->own_fits) || t->own.not_after < t->now ||
               t->own.not_before > t->now;
}

/* It ended the connection, in the handshake or at the first read. */
static bool judge_end(const Evidence *e, Judgement *j)
{
        const TlsFacts *t = &e->tls;
        bool refused = t->outcome == TLS_OUTCOME_REFUSED, closed = t->outcome == TLS_OUTCOME_CLOSED;

        if (refused && t->alert == TLS_ALERT_NO_APPLICATION_PROTOCOL)
                say_head(e, j, VERDICT_NOT_RAY, PROBE_PROVEN); /* every gRPC server speaks h2 */
        else if (refused && tls_alert_is_about_certificate(t->alert))
                say_head(e, j, VERDICT_CLIENT_CERT_REQUIRED, PROBE_PROVEN);
        else if ((refused || closed) && t->wants_cert)
                /* gRPC hangs up without a word when it does not like what it was shown */
                say_head(e, j, VERDICT_CLIENT_CERT_REQUIRED,
                         own_is_bad(t) ? PROBE_PROVEN : PROBE_LIKELY);
        else if (closed)
                say_head(e, j, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_LIKELY);
        else if (t->outcome == TLS_OUTCOME_BROKEN)
                /* gRPC's TLS is at least 1.2, and in order */
                say_head(e, j, VERDICT_NOT_RAY, PROBE_LIKELY);
        else
                say_open(j);
        return true;
}

bool judge_tls(const Evidence *e, Judgement *j)
{
        const TlsFacts *t = &e->tls;

        if (!e->tls_wanted || t->outcome == TLS_OUTCOME_NONE)
                return false;
        if (!t->spoken)
                return tls_facts_ended(t) && judge_no_tls(e, j);
        if (judge_cert(e, j))
                return true;
        if (t->outcome == TLS_OUTCOME_OPEN || t->outcome == TLS_OUTCOME_UNDER_WAY ||
            e->hello.kind == SERVICE_GRPC || e->hello.kind == SERVICE_HTTP2)
                return false;
        return judge_end(e, j);
}
