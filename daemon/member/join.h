/* A machine becomes a member, once: makes a key, dials the head, knows it by the pin of the token,
 * proves that it has the token, and keeps what it gets in a file (member/identity.h). The key never
 * leaves the machine; nothing is sent before the pin was seen.
 *
 * Without a token it asks for approval: JOIN_PENDING, and its owner joins again after `retry`, with
 * the same path, until it is approved. The head is believed at first sight; which one it was is
 * kept (member/first-sight.h), and people compare the words of both. A machine with a token, whose
 * name is another key's, is pending, too, and may go on without the token. */
#pragma once

#include "member/identity.h"
#include "member/peer.h"
#include "model/join-token.h"
#include "model/key-words.h"

typedef struct Join Join;

typedef struct JoinPolicy {
        Addr head;              /* with the control port */
        const JoinToken *token; /* NULL: an admin is asked */
        const char *path;       /* of the identity to be made */
        const char *node;       /* own node id */
        const char *name;       /* own host name */
        const Addr *addrs;
        size_t n_addrs;
} JoinPolicy;

typedef enum JoinEnd {
        JOIN_DONE,
        JOIN_UNREACHABLE, /* the control port: no connection, no TLS, no answer */
        JOIN_WRONG_HEAD,  /* it is not the head that the token is of */
        JOIN_REFUSED,     /* by the head: `refusal` */
        JOIN_PENDING,     /* an admin of the head is asked: again after `retry` */
        JOIN_FAILED,      /* here: the identity could not be made or kept */
        _JOIN_END_MAX,
        _JOIN_END_INVALID = -EINVAL,
} JoinEnd;

DECLARE_STRTAB(join_end, JoinEnd);

typedef struct JoinResult {
        JoinEnd end;
        MemberRefusal refusal;
        usec_t retry; /* of a refusal, and while it is pending; 0 = not said */
        /* Of the head's authority and of the own key: the same are on the head's screen. "" when
         * it came to nothing before. */
        char words_head[KEY_WORDS_MAX], words_own[KEY_WORDS_MAX];
        char text[400]; /* one sentence: what happened, and what to do */
} JoinResult;

/* The whole of it, from connect to answer. */
#define JOIN_TIMEOUT (20 * USEC_PER_SEC)

/* Once, from the loop. May be freed inside. */
typedef void (*join_cb)(Join *j, const JoinResult *result, void *userdata);

/* Everything of the policy is copied. -EINVAL: names too long, too many addresses; those of
 * identity_key_as(): the directory cannot be written; those of first_sight_load(). */
int join_new(sd_event *event, const JoinPolicy *p, join_cb cb, void *userdata, Join **ret);
Join *join_free(Join *j);
DEFINE_CLEANUP(Join *, join_free);
