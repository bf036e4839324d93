/* One TLS 1.3 connection between a head and a member, either side of it, as a layer under a stream
 * (sys/stream.h). Both know each other by certificates of the cluster's own authority (sys/pki.h);
 * nothing of the system's authorities, names or addresses counts.
 *
 * A machine that is no member yet shows no certificate, which the head lets pass (who may say what
 * is for whoever reads), and knows the head by the key of its authority, which its token names: the
 * head sends the authority's certificate along. Whatever is wrong with the other side ends the
 * handshake before any data is sent, except that in TLS 1.3 the client is through before the server
 * has looked at its certificate: a refusal comes with the first read.
 *
 * No tickets and no resumption: each connection proves who is there. */
#pragma once

#include "sys/pki-cert.h"
#include "sys/stream.h"

/* Spoken on the control port; whoever does not is none of ours. */
#define TLS_LINK_ALPN "raycluster/1"
/* Most bytes of a handshake: two chains of some KiB. */
#define TLS_LINK_HANDSHAKE_MAX ((size_t)32 << 10)
#define TLS_LINK_EXPORT_SIZE   32

/* Who we are, and whom we trust. Two owners: whoever makes connections, and each connection; a
 * renewed certificate is a new party. */
typedef struct TlsParty TlsParty;

/* key, cert: NULL for a machine that is no member yet, and then cas may be empty: a server needs
 * both. Nothing of the caller's is needed afterwards. -EINVAL, -EKEYREJECTED (key and certificate
 * do not go together), -ENOMEM, -EIO. */
int tls_party_new(const PkiKey *key, const PkiCert *cert, PkiCert *const *cas, size_t n_cas,
                  TlsParty **ret);
TlsParty *tls_party_ref(TlsParty *p);
TlsParty *tls_party_unref(TlsParty *p);
DEFINE_CLEANUP(TlsParty *, tls_party_unref);

#define TLS_LINK_PINS_MAX 2

typedef struct TlsLinkPolicy {
        bool server;
        /* Of a client that trusts nobody yet: the key of the head's authority is one of these. */
        uint8_t pins[TLS_LINK_PINS_MAX][PKI_PIN_SIZE];
        size_t n_pins;
        /* Of a client that has neither authority nor pin: whatever authority of ours the head
         * shows is believed, and tls_link_authority() says which. Nothing stands against somebody
         * in the middle but people who compare it. */
        bool first_sight;
        /* Of a server: a certificate that ended no longer ago than this is let in, and
         * tls_link_is_expired() says so: who may say what is for whoever reads. */
        usec_t grace;
} TlsLinkPolicy;

typedef enum TlsLinkEnd {
        TLS_LINK_RUNS,       /* under way, or open */
        TLS_LINK_NOT_TLS,    /* what came first is no TLS */
        TLS_LINK_NO_MEMBER,  /* the other side has no certificate of this cluster: `defect` */
        TLS_LINK_WRONG_PIN,  /* the head's authority is not the one of the token */
        TLS_LINK_WRONG_ROLE, /* a member that answers in the head's place, or the reverse */
        TLS_LINK_NO_ALPN,    /* TLS, but not ours: another service */
        TLS_LINK_REFUSED,    /* the other side ended it with an alert: `alert` */
        TLS_LINK_CLOSED,     /* and without one: `error`, 0 = EOF */
        TLS_LINK_BROKEN,     /* its TLS breaks the rules: `text` */
        _TLS_LINK_END_MAX,
        _TLS_LINK_END_INVALID = -EINVAL,
} TlsLinkEnd;

DECLARE_STRTAB(tls_link_end, TlsLinkEnd);

typedef struct TlsLinkFacts {
        TlsLinkEnd end;
        bool negotiated; /* the handshake went through, whatever came then */
        PkiDefect defect;
        /* Of the certificate, when that is NOT_YET_VALID or EXPIRED. */
        usec_t valid_from, valid_until;
        int alert;     /* -1 = none (wire/tls-record.h names them) */
        int error;     /* positive errno */
        char text[96]; /* OpenSSL's words */
} TlsLinkFacts;

typedef struct TlsLink TlsLink;

/* -EINVAL: a server without a certificate, a client with neither authority nor pin, nor
 * first_sight. -ENOMEM, and of a party's first connection on this side -EKEYREJECTED: OpenSSL does
 * not take its certificate. */
int tls_link_new(TlsParty *party, const TlsLinkPolicy *policy, TlsLink **ret);
TlsLink *tls_link_free(TlsLink *l);
DEFINE_CLEANUP(TlsLink *, tls_link_free);

/* For stream_set_layer(), with a TlsLink as data. Errors: -EPROTONOSUPPORT no TLS, -EKEYREJECTED
 * not who we want, -ECONNREFUSED ended by an alert, -EPROTO broken, -EMSGSIZE over a limit,
 * -ECONNRESET an end in the middle of the handshake, and those of the socket. */
extern const StreamLayer tls_link_layer;

void tls_link_facts(const TlsLink *l, TlsLinkFacts *ret);
/* The other side's certificate, verified, once negotiated; NULL: it showed none (to a server).
 * The link's. */
const PkiCert *tls_link_peer(const TlsLink *l);
/* It has ended, within the grace of the policy. */
bool tls_link_is_expired(const TlsLink *l);
/* Of a client with pins: the authority that has one of them, or the one that is believed at first
 * sight; NULL before. The link's. */
const PkiCert *tls_link_authority(const TlsLink *l);
/* Bytes that only the two ends of this connection have (RFC 8446 7.5). -ENOTCONN, -EIO. */
int tls_link_export(const TlsLink *l, uint8_t ret[static TLS_LINK_EXPORT_SIZE]);
