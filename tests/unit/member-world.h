/* A head's authority and desk in a directory of their own, and a machine that wants to join. */
#pragma once

#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "member/enrolment.h"

#define DAY (24 * 60 * USEC_PER_MIN)

typedef struct MemberWorld {
        char dir[32];
        usec_t now;
        Authority *authority;
        Db *db;
        EnrolmentDesk desk;
        uint8_t secret[20];
        PkiKey *key; /* of the machine */
        Buf csr;
} MemberWorld;

static inline Addr member_addr(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

static inline Authority *authority_at(const char *dir, usec_t now, const char *addr)
{
        Authority *a = NULL;
        char *error = NULL;
        Addr own = member_addr(addr);
        AuthorityPolicy p = {
                .dir = dir, .node = "headnode", .name = "head", .addrs = &own, .n_addrs = 1};

        int r = authority_open(&p, now, &a, &error);
        if (r < 0)
                fail_msg("%s", strempty(error));
        return a;
}

static inline void member_world_token(MemberWorld *w, const char *id, unsigned uses)
{
        TokenRow t = {
                .created = w->now, .left = uses, .terms = {.expires = w->now + DAY, .uses = uses}};

        str_copy(t.id, sizeof(t.id), id);
        assert_int_equal(proof_key(w->secret, sizeof(w->secret), t.key), 0);
        assert_int_equal(tokens_add(w->db, &t, w->now), 0);
}

static inline void member_world_init(MemberWorld *w, usec_t now)
{
        *w = (MemberWorld){.dir = "/tmp/test-member-XXXXXX", .now = now, .secret = {7}};
        assert_non_null(mkdtemp(w->dir));
        w->authority = authority_at(w->dir, now, "127.0.0.1");
        assert_int_equal(store_open(":memory:", &w->db), 0);
        w->desk = (EnrolmentDesk){.db = w->db, .authority = w->authority};
        assert_int_equal(pki_key_new(&w->key), 0);
        assert_int_equal(pki_request_new(w->key, "w1", &w->csr), 0);
}

static inline void member_world_done(MemberWorld *w)
{
        DIR *d = opendir(w->dir);
        struct dirent *e;

        authority_free(w->authority);
        db_free(w->db);
        pki_key_free(w->key);
        buf_done(&w->csr);
        while (d && (e = readdir(d)))
                (void)unlinkat(dirfd(d), e->d_name, 0);
        closedir(d);
        assert_int_equal(rmdir(w->dir), 0);
}

/* As a machine would put it; proof over `binding`. */
static inline MemberEnrol member_world_enrol(const MemberWorld *w, const char *id,
                                             const uint8_t binding[static PROOF_BINDING_SIZE])
{
        MemberEnrol e = {.node = "workernode",
                         .name = "w1",
                         .csr = {buf_data(&w->csr), buf_size(&w->csr)},
                         .addrs = {member_addr("10.77.0.11")},
                         .n_addrs = 1};
        uint8_t key[PROOF_KEY_SIZE];

        str_copy(e.token, sizeof(e.token), id);
        assert_int_equal(proof_key(w->secret, sizeof(w->secret), key), 0);
        assert_int_equal(proof_make(key, binding, id, e.csr.data, e.csr.size, e.proof), 0);
        return e;
}
