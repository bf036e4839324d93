/* TLS: the facts that a judgement rests on, for people and for programs. */
#include <stdio.h>

#include "probe/phrase.h"
#include "wire/tls-record.h"

static const char *alert_text(int alert, char buf[32])
{
        const char *name = tls_alert_name(alert);

        if (!name)
                (void)snprintf(buf, 32, "number %d", alert);
        return name ? name : buf;
}

static int because_end(const TlsFacts *t, char ***l)
{
        const char *when =
                t->negotiated ? "right behind the TLS handshake" : "in the TLS handshake";
        char buf[32];

        switch (t->outcome) {
        case TLS_OUTCOME_OPEN:
                return strv_extendf(l, "it speaks %s, %s", t->protocol,
                                    isempty(t->alpn) ? "without ALPN" : t->alpn);
        case TLS_OUTCOME_NOT_SPOKEN:
                return strv_extend(l, "what answers to a TLS greeting is no TLS");
        case TLS_OUTCOME_REFUSED:
                return strv_extendf(l, "%s it sends the alert \"%s\"", when,
                                    alert_text(t->alert, buf));
        case TLS_OUTCOME_CLOSED:
                return t->spoken ? strv_extendf(l, "%s it hangs up", when)
                                 : strv_extend(l, "it hangs up on a TLS greeting");
        case TLS_OUTCOME_BROKEN:
                return strv_extendf(l, "%s it goes wrong: %s", when, t->text);
        case TLS_OUTCOME_UNDER_WAY:
                return t->spoken ? strv_extend(l, "the TLS handshake does not come to its end") : 0;
        default:
                return 0;
        }
}

static int because_cert(const Evidence *e, const Judgement *j, char ***l)
{
        const TlsFacts *t = &e->tls;
        char until[UTC_MAX];
        bool prints = j->verdict == VERDICT_CERT_UNTRUSTED;

        int r = strv_extendf(l, "its certificate is %s for %s by %s, valid until %s%s%s",
                             t->peer.subject, isempty(t->peer.names) ? "nothing" : t->peer.names,
                             t->peer.issuer, utc_text(t->peer.not_after, until),
                             prints ? ", SHA-256 " : "", prints ? t->peer.sha256 : "");
        if (r >= 0 && prints && t->ca.known)
                r = strv_extendf(l, "our CA file %s has %s, SHA-256 %s", e->tls_ca_file,
                                 t->ca.subject, t->ca.sha256);
        if (r >= 0 && prints)
                r = strv_extendf(l, "OpenSSL: %s", t->verify_text);
        return r;
}

/* What is wrong with the certificate beside what the verdict says. */
static int because_defects(const Evidence *e, const Judgement *j, char ***l)
{
        const TlsFacts *t = &e->tls;
        char addr[ADDR_MAX], from[UTC_MAX];
        int r = 0;

        if (!e->tls_wanted)
                return 0;
        if (t->early && j->verdict != VERDICT_CERT_TIME)
                r = strv_extendf(l, "besides, the certificate is not valid before %s",
                                 utc_text(t->dated.not_before, from));
        if (r >= 0 && t->late && j->verdict != VERDICT_CERT_TIME)
                r = strv_extend(l, "besides, the certificate has expired");
        if (r >= 0 && !t->addr_fits && j->verdict != VERDICT_CERT_NAME)
                r = strv_extendf(l, "besides, the certificate is not for %s",
                                 addr_format(addr, &e->addr));
        return r;
}

static int because_clock(const Evidence *e, char ***l)
{
        const TlsFacts *t = &e->tls;
        const Reflection *o = &e->other;
        char now[UTC_MAX], span[DURATION_MAX];
        int64_t off = o->clock_offset_usec;

        if (!t->early && !t->late)
                return 0;
        int r = strv_extendf(l, "the clock here says %s%s", utc_text(t->now, now),
                             !e->clock.known   ? ""
                             : e->clock.synced ? " and is synchronised"
                                               : " and is not synchronised");
        if (r >= 0 && o->clock_known &&
            (off > 60 * (int64_t)USEC_PER_SEC || off < -60 * (int64_t)USEC_PER_SEC))
                r = strv_extendf(l, "it is %s %s the head's",
                                 span_text((usec_t)(off < 0 ? -off : off), span),
                                 off > 0 ? "behind" : "ahead of");
        return r;
}

static int because_wants(const Evidence *e, char ***l)
{
        const TlsFacts *t = &e->tls;

        if (!t->wants_cert)
                return 0;
        int r = strv_extendf(l, "it asks for a certificate%s%s", t->wants_known ? " by " : "",
                             t->wants);
        if (r >= 0 && e->tls_wanted && t->outcome != TLS_OUTCOME_OPEN)
                r = t->own.known ? strv_extendf(l, "ours in %s is %s by %s", e->tls_cert_file,
                                                t->own.subject, t->own.issuer)
                                 : strv_extend(l, "we have none");
        return r;
}

static bool is_of_tls(Verdict v)
{
        return v >= VERDICT_TLS_REQUIRED && v <= VERDICT_CERT_TIME;
}

int because_tls(const Evidence *e, const Judgement *j, char ***l)
{
        const TlsFacts *t = &e->tls;

        int r = because_end(t, l);
        if (r < 0 || !is_of_tls(j->verdict) || !t->spoken)
                return r;
        if (t->peer.known)
                r = because_cert(e, j, l);
        if (r >= 0 && t->peer.known)
                r = because_defects(e, j, l);
        if (r >= 0)
                r = because_clock(e, l);
        return r >= 0 ? because_wants(e, l) : r;
}

static int cert_facts(const TlsFacts *t, char ***l)
{
        const TlsCert *c = &t->peer;
        char at[UTC_MAX];
        const struct {
                const char *key, *value;
        } rows[] = {
                {"tls_subject", c->subject},     {"tls_issuer", c->issuer},
                {"tls_names", c->names},         {"tls_sha256", c->sha256},
                {"tls_ca_sha256", t->ca.sha256},
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(rows) && r >= 0; i++)
                if (!isempty(rows[i].value))
                        r = strv_extendf(l, "%s=%s", rows[i].key, rows[i].value);
        if (r >= 0)
                r = strv_extendf(l, "tls_not_before=%s", utc_text(c->not_before, at));
        if (r >= 0)
                r = strv_extendf(l, "tls_not_after=%s", utc_text(c->not_after, at));
        return r;
}

int facts_tls(const Evidence *e, char ***l)
{
        const TlsFacts *t = &e->tls;
        int r = 0;

        if (t->outcome == TLS_OUTCOME_NONE)
                return 0;
        if (!isempty(t->protocol))
                r = strv_extendf(l, "tls=%s", t->protocol);
        if (r >= 0 && t->negotiated)
                r = strv_extendf(l, "tls_alpn=%s", t->alpn);
        if (r >= 0 && t->outcome == TLS_OUTCOME_REFUSED)
                r = strv_extendf(l, "tls_alert=%d", t->alert);
        if (r >= 0 && t->untrusted && e->tls_wanted)
                r = strv_extendf(l, "tls_verify=%d", t->verify_error);
        if (r >= 0 && t->wants_cert)
                r = strv_extend(l, "tls_wants_certificate=yes");
        if (r >= 0 && e->clock.known)
                r = strv_extendf(l, "clock_synchronised=%s", e->clock.synced ? "yes" : "no");
        return r >= 0 && t->peer.known ? cert_facts(t, l) : r;
}

int missing_tls(const Evidence *e, const Judgement *j, char ***l)
{
        const TlsFacts *t = &e->tls;

        switch (j->verdict) {
        case VERDICT_OK:
                return e->tls_wanted && !e->large.asked
                               ? strv_extend(l, "whether large packets pass in both directions: "
                                                "the other side's view")
                               : 0;
        case VERDICT_CERT_TIME:
                return e->other.clock_known
                               ? 0
                               : strv_extend(l, "which clock is wrong: the other side's view");
        case VERDICT_CLIENT_CERT_REQUIRED:
                return j->confidence == PROBE_PROVEN
                               ? 0
                               : strv_extend(l, "why it hangs up: gcs_server.out on the head");
        case VERDICT_TLS_NOT_SPOKEN:
                return j->confidence == PROBE_PROVEN
                               ? 0
                               : strv_extend(l, "what it speaks: a look at the head");
        case VERDICT_INCONCLUSIVE:
                return t->outcome == TLS_OUTCOME_REFUSED
                               ? strv_extend(l, "why it ends the handshake: the head's own log")
                               : 0;
        default:
                return 0;
        }
}
