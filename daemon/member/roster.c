#include "member/roster.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define COLUMNS "node, name, node_group, token, pin, enrolled, not_after, seen, revoked"

static int take_row(DbQuery *q, MemberRow *ret)
{
        MemberRow m = {
                .enrolled = (usec_t)db_int(q, 5),
                .not_after = (usec_t)db_int(q, 6),
                .seen = (usec_t)db_int(q, 7),
                .revoked = db_int(q, 8) != 0,
        };
        size_t n;
        const void *pin = db_blob(q, 4, &n);

        if (n != sizeof(m.pin))
                return -EBADMSG;
        memcpy(m.pin, pin, n);
        str_copy(m.node, sizeof(m.node), db_text(q, 0));
        str_copy(m.name, sizeof(m.name), db_text(q, 1));
        str_copy(m.group, sizeof(m.group), db_text(q, 2));
        str_copy(m.token, sizeof(m.token), db_text(q, 3));
        *ret = m;
        return 0;
}

/* The one row of a bound query. */
static int take_one(DbQuery *q, MemberRow *ret)
{
        int r = db_query_step(q);
        if (r <= 0)
                return r;
        r = take_row(q, ret);
        return r < 0 ? r : 1;
}

int roster_find_pin(Db *db, const uint8_t pin[static STORE_PIN_SIZE], MemberRow *ret)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, "SELECT " COLUMNS " FROM member WHERE pin = ?1", &q);
        if (r < 0)
                return r;
        db_bind_blob(q, 1, pin, STORE_PIN_SIZE);
        return take_one(q, ret);
}

static int find_text(Db *db, const char *sql, const char *key, MemberRow *ret)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, sql, &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, key);
        return take_one(q, ret);
}

int roster_find_node(Db *db, const char *node, MemberRow *ret)
{
        return find_text(db, "SELECT " COLUMNS " FROM member WHERE node = ?1", node, ret);
}

int roster_find_name(Db *db, const char *name, MemberRow *ret)
{
        return find_text(db, "SELECT " COLUMNS " FROM member WHERE name = ?1 AND revoked = 0", name,
                         ret);
}

int roster_find_revoked(Db *db, const char *name, MemberRow *ret)
{
        return find_text(db,
                         "SELECT " COLUMNS " FROM member WHERE name = ?1 AND revoked = 1"
                         " ORDER BY enrolled DESC LIMIT 1",
                         name, ret);
}

static int has_room(Db *db)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, "SELECT count(*) FROM member", &q);
        if (r >= 0)
                r = db_query_step(q);
        if (r <= 0)
                return r;
        return db_int(q, 0) < STORE_MEMBERS_MAX ? 0 : -EXFULL;
}

int roster_put(Db *db, const MemberRow *m)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        MemberRow before;

        int r = roster_find_pin(db, m->pin, &before);
        if (r > 0 && !streq(before.node, m->node))
                return -EEXIST;
        if (r == 0)
                r = has_room(db);
        if (r >= 0)
                r = db_query_new(db,
                                 "INSERT INTO member(" COLUMNS
                                 ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
                                 " ON CONFLICT(node) DO UPDATE SET name = ?2, node_group = ?3,"
                                 " token = ?4, enrolled = ?6, not_after = ?7, revoked = ?9"
                                 " WHERE pin = ?5",
                                 &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, m->node);
        db_bind_text(q, 2, m->name);
        db_bind_text(q, 3, m->group);
        db_bind_text(q, 4, m->token);
        db_bind_blob(q, 5, m->pin, sizeof(m->pin));
        db_bind_int(q, 6, (int64_t)m->enrolled);
        db_bind_int(q, 7, (int64_t)m->not_after);
        db_bind_int(q, 8, (int64_t)m->seen);
        db_bind_int(q, 9, m->revoked);
        r = db_query_run(q);
        /* the same node id with another key changes nothing */
        return r < 0 ? r : db_changes(db) > 0 ? 0 : -EEXIST;
}

int roster_list(Db *db, MemberRow **ret, size_t *ret_n)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        _cleanup_free_ MemberRow *rows = NULL;
        size_t n = 0, room = 0;

        int r = db_query_new(
                db, "SELECT " COLUMNS " FROM member ORDER BY revoked, name, node LIMIT ?1", &q);
        if (r < 0)
                return r;
        db_bind_int(q, 1, STORE_MEMBERS_MAX);
        while ((r = db_query_step(q)) > 0) {
                if (n == room) {
                        room = MAX(room * 2, (size_t)64);
                        MemberRow *more = reallocarray(rows, room, sizeof(*rows));
                        if (!more)
                                return -ENOMEM;
                        rows = more;
                }
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

int roster_count(Db *db, size_t *ret)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, "SELECT count(*) FROM member WHERE revoked = 0", &q);
        if (r >= 0)
                r = db_query_step(q);
        if (r < 0)
                return r;
        *ret = (size_t)db_int(q, 0);
        return 0;
}

static int change(Db *db, const char *sql, const char *node)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, sql, &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, node);
        r = db_query_run(q);
        return r < 0 ? r : db_changes(db) > 0;
}

int roster_revoke(Db *db, const char *node)
{
        return change(db, "UPDATE member SET revoked = 1 WHERE node = ?1", node);
}

int roster_forget(Db *db, const char *node)
{
        int r = change(db,
                       "DELETE FROM verdict WHERE approved = 1 AND"
                       " pin IN (SELECT pin FROM member WHERE node = ?1)",
                       node);
        if (r >= 0)
                r = change(db, "DELETE FROM member_address WHERE node = ?1", node);
        if (r < 0)
                return r;
        return change(db, "DELETE FROM member WHERE node = ?1", node);
}

int roster_seen(Db *db, const char *node, usec_t now)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, "UPDATE member SET seen = ?2 WHERE node = ?1", &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, node);
        db_bind_int(q, 2, (int64_t)now);
        r = db_query_run_lazily(q);
        return r < 0 ? r : db_changes(db) > 0;
}
