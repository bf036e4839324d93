/* The client's side of one TLS connection, as a layer under a stream (sys/stream.h), and a witness:
 * whatever is wrong with the other side's certificate is noted by name and does not end the
 * handshake, unless the client is strict.
 *
 * In TLS 1.3 the client is through before the server has looked at its certificate: a refusal
 * comes with the first read (probe.md C11). gRPC's servers say nothing when they refuse, they hang
 * up. */
#pragma once

#include "base/addr.h"
#include "sys/stream.h"
#include "sys/tls-context.h"

typedef struct TlsClient TlsClient;

typedef enum TlsOutcome {
        TLS_OUTCOME_NONE,       /* nothing was sent */
        TLS_OUTCOME_UNDER_WAY,  /* the handshake is not through */
        TLS_OUTCOME_OPEN,       /* it is, and nothing has ended since */
        TLS_OUTCOME_NOT_SPOKEN, /* what came first is no TLS */
        TLS_OUTCOME_REFUSED,    /* ended by an alert: `alert` */
        TLS_OUTCOME_CLOSED,     /* ended without one: `error`, 0 = EOF */
        TLS_OUTCOME_BROKEN, /* we ended it: its TLS breaks the rules, or is none of ours; `text` */
        _TLS_OUTCOME_MAX,
        _TLS_OUTCOME_INVALID = -EINVAL,
} TlsOutcome;

/* Of the handshake, in bytes as received: a chain of certificates and a list of authorities have
 * some ten KiB. What is over ends it as TLS_OUTCOME_BROKEN. */
#define TLS_HANDSHAKE_MAX ((size_t)256 << 10)
/* As many bytes may come without any of them being data. */
#define TLS_IDLE_MAX  ((size_t)256 << 10)
#define TLS_FIRST_MAX 64

typedef struct TlsFacts {
        TlsOutcome outcome;
        bool spoken;       /* a record of TLS came */
        bool negotiated;   /* the handshake went through, whatever came then */
        char protocol[16]; /* "TLSv1.3" */
        char alpn[16];     /* "h2"; "" = none was chosen */
        int alert;         /* of TLS_OUTCOME_REFUSED; -1 = none (wire/tls-record.h names them) */
        int error;         /* positive errno of TLS_OUTCOME_CLOSED */
        char text[96];     /* of TLS_OUTCOME_BROKEN: OpenSSL's words */

        TlsCert peer;     /* its certificate */
        bool untrusted;   /* none of our authorities vouches for it: */
        int verify_error; /* the first such error, X509_V_ERR_… */
        char verify_text[80];
        bool early, late; /* a certificate is not valid yet, or not any more: */
        TlsCert dated;    /* that one; the peer's own, or an authority's */
        usec_t now;       /* Unix time here when that was looked at */
        bool addr_fits;   /* the certificate is for the address we dialled */
        bool name_fits;   /* and for the name; meaningful when there is one */

        TlsCert ca;        /* of our CA file: the one of the peer's issuer, else the first */
        bool ca_same_name; /* it has the peer's issuer's name */
        TlsCert own;       /* our own certificate; not known = we have none to show */
        bool own_trusted;  /* our own authorities vouch for ours, dates aside */
        bool wants_cert;   /* the server asked for ours */
        bool wants_known;  /* and said whose it takes: */
        bool own_fits;     /* ours is of one of these */
        char wants[TLS_CERT_NAMES_MAX]; /* these, or the first of them */
} TlsFacts;

/* c must live as long as the client. host: the name asked for, or NULL: sent as SNI and compared
 * with the certificate, as addr is. strict: the handshake ends with -EKEYREJECTED when there is any
 * defect, before any data of ours is sent. */
int tls_client_new(const TlsContext *c, const char *host, const Addr *addr, bool strict,
                   TlsClient **ret);
TlsClient *tls_client_free(TlsClient *t);
DEFINE_CLEANUP(TlsClient *, tls_client_free);

/* For stream_set_layer() and h2_set_layer(), with a TlsClient as data. Errors: -EPROTONOSUPPORT no
 * TLS, -ECONNREFUSED ended by an alert, -EPROTO broken, -EMSGSIZE over a limit, -EKEYREJECTED, and
 * those of the socket; an end in the middle of the handshake is -ECONNRESET. */
extern const StreamLayer tls_client_layer;

void tls_client_facts(const TlsClient *t, TlsFacts *ret);
/* The same when the client ends, whoever frees it; *ret must live until then. */
void tls_client_set_report(TlsClient *t, TlsFacts *ret);
/* The first bytes as they came in; *ret is valid as long as the client. */
size_t tls_client_first_bytes(const TlsClient *t, const uint8_t **ret);
/* The connection has come to an end, by them or by us. */
static inline bool tls_facts_ended(const TlsFacts *f)
{
        return f->outcome >= TLS_OUTCOME_NOT_SPOKEN;
}
/* A defect for which Ray would not talk to it. The address counts, whatever name it was found by:
 * Ray's nodes know each other by address. */
bool tls_facts_defect(const TlsFacts *f);
