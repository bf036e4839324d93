/* The tokens that a head gave out, and whether one is still good. Errors: member/store.h. */
#pragma once

#include <errno.h>

#include "base/subnet.h"
#include "member/store.h"

typedef struct TokenTerms {
        usec_t expires;               /* Unix time */
        unsigned uses;                /* at least 1 */
        char pattern[STORE_NAME_MAX]; /* that the host name has to match (fnmatch(3)); "" = any */
        char group[STORE_NAME_MAX];   /* that its machines belong to; "" = none */
        Subnet subnet;                /* that they have to come from; unset = any */
} TokenTerms;

typedef struct TokenRow {
        char id[STORE_ID_MAX];
        uint8_t key[STORE_KEY_SIZE]; /* member/proof.h */
        usec_t created;
        TokenTerms terms;
        unsigned left; /* uses */
        bool revoked;
} TokenRow;

/* -EXFULL: STORE_TOKENS_MAX of them are good already; those that have ended make room. */
int tokens_add(Db *db, const TokenRow *t, usec_t now);
/* 1; 0 = no such token. */
int tokens_find(Db *db, const char *id, TokenRow *ret);
/* Newest first; *ret is the caller's to free. */
int tokens_list(Db *db, TokenRow **ret, size_t *ret_n);
/* 1; 0 = no such token, or revoked before. */
int tokens_revoke(Db *db, const char *id);
/* Takes one use off. 1; 0 = there was none left. */
int tokens_spend(Db *db, const char *id);

/* Why a token whose proof is right does not help this machine now. */
typedef enum TokenState {
        TOKEN_GOOD,
        TOKEN_REVOKED,
        TOKEN_EXPIRED,
        TOKEN_USED_UP,
        TOKEN_OTHER_NAME,
        TOKEN_OTHER_SUBNET,
        _TOKEN_STATE_MAX,
        _TOKEN_STATE_INVALID = -EINVAL,
} TokenState;
TokenState token_state(const TokenRow *t, const char *name, const Addr *from, usec_t now);
