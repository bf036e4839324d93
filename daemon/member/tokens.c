#include "member/tokens.h"

#include <fnmatch.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define COLUMNS "id, key, created, expires, uses, left, pattern, node_group, subnet, revoked"

static int take_row(DbQuery *q, TokenRow *ret)
{
        TokenRow t = {
                .created = (usec_t)db_int(q, 2),
                .terms = {.expires = (usec_t)db_int(q, 3), .uses = (unsigned)db_int(q, 4)},
                .left = (unsigned)db_int(q, 5),
                .revoked = db_int(q, 9) != 0,
        };
        size_t n;
        const void *key = db_blob(q, 1, &n);

        if (n != sizeof(t.key))
                return -EBADMSG;
        memcpy(t.key, key, n);
        str_copy(t.id, sizeof(t.id), db_text(q, 0));
        str_copy(t.terms.pattern, sizeof(t.terms.pattern), db_text(q, 6));
        str_copy(t.terms.group, sizeof(t.terms.group), db_text(q, 7));
        if (!isempty(db_text(q, 8)) && subnet_parse(db_text(q, 8), &t.terms.subnet) < 0)
                return -EBADMSG;
        *ret = t;
        return 0;
}

/* Those that can never be used again go first; then there is room, or not. */
static int make_room(Db *db, usec_t now)
{
        _cleanup_(db_query_freep) DbQuery *old = NULL, *count = NULL;

        int r = db_query_new(
                db, "DELETE FROM token WHERE expires <= ?1 OR left = 0 OR revoked != 0", &old);
        if (r >= 0)
                r = db_query_new(db, "SELECT count(*) FROM token", &count);
        if (r < 0)
                return r;
        r = db_query_step(count);
        if (r <= 0)
                return r;
        if (db_int(count, 0) < STORE_TOKENS_MAX)
                return 0;
        db_bind_int(old, 1, (int64_t)now);
        r = db_query_run(old);
        return r < 0 ? r : db_changes(db) > 0 ? 0 : -EXFULL;
}

int tokens_add(Db *db, const TokenRow *t, usec_t now)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        char subnet[SUBNET_MAX];

        int r = make_room(db, now);
        if (r >= 0)
                r = db_query_new(db,
                                 "INSERT INTO token(" COLUMNS
                                 ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
                                 &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, t->id);
        db_bind_blob(q, 2, t->key, sizeof(t->key));
        db_bind_int(q, 3, (int64_t)t->created);
        db_bind_int(q, 4, (int64_t)t->terms.expires);
        db_bind_int(q, 5, t->terms.uses);
        db_bind_int(q, 6, t->left);
        db_bind_text(q, 7, t->terms.pattern);
        db_bind_text(q, 8, t->terms.group);
        db_bind_text(q, 9, subnet_format(subnet, &t->terms.subnet));
        return db_query_run(q);
}

int tokens_find(Db *db, const char *id, TokenRow *ret)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, "SELECT " COLUMNS " FROM token WHERE id = ?1", &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, id);
        r = db_query_step(q);
        if (r <= 0)
                return r;
        r = take_row(q, ret);
        return r < 0 ? r : 1;
}

int tokens_list(Db *db, TokenRow **ret, size_t *ret_n)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        _cleanup_free_ TokenRow *rows = NULL;
        size_t n = 0;

        /* add() keeps the bound; a file from elsewhere may not */
        int r = db_query_new(db, "SELECT " COLUMNS " FROM token ORDER BY created DESC, id LIMIT ?1",
                             &q);
        if (r < 0)
                return r;
        rows = new0(TokenRow, STORE_TOKENS_MAX);
        if (!rows)
                return -ENOMEM;
        db_bind_int(q, 1, STORE_TOKENS_MAX);
        while ((r = db_query_step(q)) > 0) {
                r = take_row(q, &rows[n++]);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(rows);
        *ret_n = n;
        return 0;
}

static int change(Db *db, const char *sql, const char *id)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, sql, &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, id);
        r = db_query_run(q);
        return r < 0 ? r : db_changes(db) > 0;
}

int tokens_revoke(Db *db, const char *id)
{
        return change(db, "UPDATE token SET revoked = 1 WHERE id = ?1 AND revoked = 0", id);
}

int tokens_spend(Db *db, const char *id)
{
        return change(db, "UPDATE token SET left = left - 1 WHERE id = ?1 AND left > 0", id);
}

TokenState token_state(const TokenRow *t, const char *name, const Addr *from, usec_t now)
{
        if (t->revoked)
                return TOKEN_REVOKED;
        if (t->terms.expires <= now)
                return TOKEN_EXPIRED;
        if (t->left == 0)
                return TOKEN_USED_UP;
        if (!isempty(t->terms.pattern) && fnmatch(t->terms.pattern, name, FNM_NOESCAPE) != 0)
                return TOKEN_OTHER_NAME;
        if (!subnet_has(&t->terms.subnet, from))
                return TOKEN_OTHER_SUBNET;
        return TOKEN_GOOD;
}
