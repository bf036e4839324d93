/* What a head and its members say to each other (wire/member.proto), as values and as bytes. No fd,
 * no clock, no key. Everything that repeats is bounded, every length is checked, every text of the
 * other side is cleaned: it may be shown. */
#pragma once

#include "base/addr.h"
#include "base/buf.h"
#include "base/strtab.h"
#include "base/time.h"
#include "model/identity.h"

#define MEMBER_VERSION 1
#define MEMBER_OLDEST  1

#define MEMBER_ADDRS_MAX  16   /* more global addresses than a machine of a room has */
#define MEMBER_CAS_MAX    4    /* two while a CA is rolled over, twice */
#define MEMBER_CERT_MAX   4096 /* bytes of a certificate or CSR; ours have some 600 */
#define MEMBER_PROOF_SIZE 32   /* HMAC-SHA256 */
#define MEMBER_NAME_MAX   64   /* a host name and its end */
#define MEMBER_ID_MAX     40   /* a node id and its end */
#define MEMBER_TOKEN_MAX  256  /* Ray's token and its end */
#define MEMBER_TEXT_MAX   200  /* a sentence and its end */
#define MEMBER_EVENT_MAX  400  /* a line of a journal and its end */
#define MEMBER_ANSWER_MAX 1024 /* what a command has to say, and its end */
#define MEMBER_WORDS_MAX  64   /* a fingerprint in words, and the end */
/* All keys of a configuration are a tenth of it. */
#define MEMBER_SETTINGS_MAX ((size_t)16 << 10)

/* What the sender of a Hello understands beyond the first version: nothing of it is sent to whoever
 * has not said so. */
#define MEMBER_CAN_SETTINGS ((uint64_t)1 << 0)
#define MEMBER_CAN_COMMANDS ((uint64_t)1 << 1)
#define MEMBER_CAN_EVENTS   ((uint64_t)1 << 2) /* and Leave */
#define MEMBER_CAN_RENEW    ((uint64_t)1 << 3)
#define MEMBER_CAN_REFLECT  ((uint64_t)1 << 4)
#define MEMBER_CAN_WAIT     ((uint64_t)1 << 5) /* for an admin's approval */
#define MEMBER_CAN_RAY_TLS  ((uint64_t)1 << 6)

typedef enum MemberKind {
        MEMBER_UNKNOWN, /* of a later version; passed over */
        MEMBER_HELLO,
        MEMBER_ENROL,
        MEMBER_RENEW,
        MEMBER_ISSUED,
        MEMBER_REFUSED,
        MEMBER_FACTS,
        MEMBER_WELCOME,
        MEMBER_BEAT,
        MEMBER_REFLECT_REQUEST,
        MEMBER_REFLECT_REPLY,
        MEMBER_PENDING,
        MEMBER_SETTINGS,
        MEMBER_COMMAND,
        MEMBER_COMMAND_DONE,
        MEMBER_EVENT,
        MEMBER_LEAVE,
        MEMBER_RAY_ISSUE,
        MEMBER_RAY_ISSUED,
        _MEMBER_KIND_MAX,
        _MEMBER_KIND_INVALID = -EINVAL,
} MemberKind;

DECLARE_STRTAB(member_kind, MemberKind);

typedef enum MemberRefusal {
        MEMBER_REFUSAL_OTHER, /* one that is not known here */
        MEMBER_REFUSAL_BAD,
        MEMBER_REFUSAL_VERSION,
        MEMBER_REFUSAL_IDENTITY,
        MEMBER_REFUSAL_REVOKED,
        MEMBER_REFUSAL_TOKEN,
        MEMBER_REFUSAL_TOKEN_EXPIRED,
        MEMBER_REFUSAL_TOKEN_USED,
        MEMBER_REFUSAL_TOKEN_SCOPE,
        MEMBER_REFUSAL_LOCKED,
        MEMBER_REFUSAL_NAME_TAKEN,
        MEMBER_REFUSAL_BUSY,
        MEMBER_REFUSAL_STORE,
        MEMBER_REFUSAL_DENIED,
        _MEMBER_REFUSAL_MAX,
        _MEMBER_REFUSAL_INVALID = -EINVAL,
} MemberRefusal;

DECLARE_STRTAB(member_refusal, MemberRefusal);

/* Points into the message that it was decoded from, or at what is to be encoded. */
typedef struct MemberBytes {
        const uint8_t *data;
        size_t size;
} MemberBytes;

typedef struct MemberHello {
        unsigned version, oldest; /* of the sender; oldest <= version */
        uint64_t capabilities;
        char software[MEMBER_NAME_MAX];
} MemberHello;

typedef enum MemberOrder {
        MEMBER_ORDER_OTHER, /* one that is not known here */
        MEMBER_ORDER_START,
        MEMBER_ORDER_STOP,
        MEMBER_ORDER_DRAIN,
        MEMBER_ORDER_RESTART_ENGINE,
        MEMBER_ORDER_PROBE,
        _MEMBER_ORDER_MAX,
        _MEMBER_ORDER_INVALID = -EINVAL,
} MemberOrder;

DECLARE_STRTAB(member_order, MemberOrder);

typedef struct MemberEnrol {
        char token[MEMBER_ID_MAX]; /* its id; "": none, and no proof: an admin is asked */
        char node[MEMBER_ID_MAX];
        char name[MEMBER_NAME_MAX];
        MemberBytes csr;
        uint8_t proof[MEMBER_PROOF_SIZE];
        Addr addrs[MEMBER_ADDRS_MAX]; /* without port */
        size_t n_addrs;
} MemberEnrol;

typedef struct MemberIssued {
        MemberBytes cert;
        MemberBytes cas[MEMBER_CAS_MAX];
        size_t n_cas; /* at least 1 */
} MemberIssued;

typedef struct MemberRefused {
        MemberRefusal reason;
        char text[MEMBER_TEXT_MAX];
        usec_t retry; /* 0 = not said */
} MemberRefused;

typedef struct MemberFacts {
        char name[MEMBER_NAME_MAX];
        char boot_id[MEMBER_ID_MAX];
        Versions versions;
        unsigned cpus, gpus;
        uint64_t memory; /* bytes */
        Addr addrs[MEMBER_ADDRS_MAX];
        size_t n_addrs;
} MemberFacts;

typedef struct MemberWelcome {
        char cluster[MEMBER_NAME_MAX];
        usec_t beat;
        char ray_token[MEMBER_TOKEN_MAX]; /* "" = Ray's authentication is off */
} MemberWelcome;

typedef struct MemberBeat {
        uint64_t number;
        int64_t t1_usec, t2_usec, t3_usec;
} MemberBeat;

typedef struct MemberPending {
        char words[MEMBER_WORDS_MAX];
        usec_t retry;
} MemberPending;

typedef struct MemberCommand {
        uint64_t number; /* at least 1 */
        MemberOrder order;
        char argument[MEMBER_TEXT_MAX];
} MemberCommand;

typedef struct MemberCommandDone {
        uint64_t number;
        bool ok;
        char text[MEMBER_ANSWER_MAX];
} MemberCommandDone;

typedef struct MemberEvent {
        char message_id[MEMBER_ID_MAX];
        char text[MEMBER_EVENT_MAX];
        usec_t time; /* realtime of the member */
} MemberEvent;

typedef struct MemberMessage {
        MemberKind kind;
        union {
                MemberHello hello;
                MemberEnrol enrol;
                MemberBytes csr;     /* of RENEW and RAY_ISSUE */
                MemberIssued issued; /* of ISSUED and RAY_ISSUED */
                MemberRefused refused;
                MemberFacts facts;
                MemberWelcome welcome;
                MemberBeat beat;
                MemberBytes reflect; /* of both kinds */
                MemberPending pending;
                const char *settings; /* UTF-8 in lines; under MEMBER_SETTINGS_MAX; in `raw` */
                MemberCommand command;
                MemberCommandDone done;
                MemberEvent event;
        };
        void *raw; /* what it was decoded from, owned; NULL in one to be encoded */
} MemberMessage;

/* Frees, and overwrites: a message may hold Ray's token. */
void member_message_done(MemberMessage *m);
#define _cleanup_member_message_ _cleanup_(member_message_done)

/* Adds a whole frame. -EINVAL: over a bound, or of no kind; -ENOMEM. */
int member_encode(Buf *out, const MemberMessage *m);
/* The body of one frame. -EBADMSG: no such message; -EMSGSIZE: a list or text over its bound;
 * -ENOMEM. The caller finishes *ret with member_message_done(), and keeps `data` no longer. */
int member_decode(const void *data, size_t size, MemberMessage *ret);
