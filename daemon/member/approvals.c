#include "member/approvals.h"

#include "base/str.h"

/* --- verdicts on keys ---------------------------------------------------------------------------
 */

/* What holds no longer goes; then there is room, or not. */
static int make_room(Db *db, const char *old_sql, const char *count_sql, int64_t max, usec_t now)
{
        _cleanup_(db_query_freep) DbQuery *old = NULL, *count = NULL;

        int r = db_query_new(db, old_sql, &old);
        if (r < 0)
                return r;
        db_bind_int(old, 1, (int64_t)now);
        r = db_query_run(old);
        if (r >= 0)
                r = db_query_new(db, count_sql, &count);
        if (r >= 0)
                r = db_query_step(count);
        if (r <= 0)
                return r;
        return db_int(count, 0) < max ? 0 : -EXFULL;
}

int approvals_put(Db *db, const uint8_t pin[static STORE_PIN_SIZE], const VerdictRow *v, usec_t now)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = make_room(db, "DELETE FROM verdict WHERE until <= ?1",
                          "SELECT count(*) FROM verdict", STORE_VERDICTS_MAX, now);
        if (r >= 0)
                r = db_query_new(db,
                                 "INSERT OR REPLACE INTO verdict(pin, approved, node, name, takes,"
                                 " until) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                                 &q);
        if (r < 0)
                return r;
        db_bind_blob(q, 1, pin, STORE_PIN_SIZE);
        db_bind_int(q, 2, v->verdict == VERDICT_APPROVED);
        db_bind_text(q, 3, v->node);
        db_bind_text(q, 4, v->name);
        db_bind_text(q, 5, v->takes);
        db_bind_int(q, 6, (int64_t)usec_add(now, APPROVAL_LIFE));
        return db_query_run(q);
}

int approvals_find(Db *db, const uint8_t pin[static STORE_PIN_SIZE], usec_t now, VerdictRow *ret)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(
                db, "SELECT approved, node, name, takes FROM verdict WHERE pin = ?1 AND until > ?2",
                &q);
        if (r < 0)
                return r;
        db_bind_blob(q, 1, pin, STORE_PIN_SIZE);
        db_bind_int(q, 2, (int64_t)now);
        r = db_query_step(q);
        if (r < 0)
                return r;
        *ret = (VerdictRow){0};
        if (r == 0)
                return 0;
        ret->verdict = db_int(q, 0) != 0 ? VERDICT_APPROVED : VERDICT_DENIED;
        str_copy(ret->node, sizeof(ret->node), db_text(q, 1));
        str_copy(ret->name, sizeof(ret->name), db_text(q, 2));
        str_copy(ret->takes, sizeof(ret->takes), db_text(q, 3));
        return 0;
}

/* --- subnets ------------------------------------------------------------------------------------
 */

int auto_approvals_put(Db *db, const Subnet *subnet, usec_t until, usec_t now)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        char text[SUBNET_MAX];

        if (!addr_is_set(&subnet->addr))
                return -EINVAL;
        int r = db_query_new(db, "DELETE FROM auto_approval WHERE subnet = ?1", &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, subnet_format(text, subnet));
        r = db_query_run(q);
        if (r < 0 || until <= now)
                return r;
        q = db_query_free(q);
        r = make_room(db, "DELETE FROM auto_approval WHERE until <= ?1",
                      "SELECT count(*) FROM auto_approval", STORE_AUTO_MAX, now);
        if (r >= 0)
                r = db_query_new(db, "INSERT INTO auto_approval(subnet, until) VALUES(?1, ?2)", &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, text);
        db_bind_int(q, 2, (int64_t)until);
        return db_query_run(q);
}

int auto_approvals_list(Db *db, usec_t now, AutoApproval *ret, size_t max)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        size_t n = 0;

        int r = db_query_new(
                db, "SELECT subnet, until FROM auto_approval WHERE until > ?1 ORDER BY until", &q);
        if (r < 0)
                return r;
        db_bind_int(q, 1, (int64_t)now);
        while (n < max && (r = db_query_step(q)) > 0) {
                ret[n].until = (usec_t)db_int(q, 1);
                if (subnet_parse(db_text(q, 0), &ret[n++].subnet) < 0)
                        return -EBADMSG;
        }
        return r < 0 ? r : (int)n;
}

int auto_approvals_match(Db *db, const Addr *from, usec_t now)
{
        AutoApproval all[STORE_AUTO_MAX];

        int n = auto_approvals_list(db, now, all, ELEMENTSOF(all));
        for (int i = 0; i < n; i++)
                if (subnet_has(&all[i].subnet, from))
                        return 1;
        return MIN(n, 0);
}
