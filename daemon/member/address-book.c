#include "member/address-book.h"

#include <errno.h>
#include <string.h>

static bool has(const PkiNames *n, const Addr *a)
{
        for (size_t i = 0; i < n->n_addrs; i++)
                if (addr_equal(&n->addrs[i], a))
                        return true;
        return false;
}

static void add(PkiNames *n, const Addr *a)
{
        if (n->n_addrs == PKI_ADDRS_MAX || has(n, a))
                return;
        n->addrs[n->n_addrs] = *a;
        n->addrs[n->n_addrs].scope = 0;
        n->addrs[n->n_addrs++].port = 0;
}

int address_book_is_taken(Db *db, const char *node, const Addr *a)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        char ip[ADDR_MAX];

        int r = db_query_new(db,
                             "SELECT 1 FROM member_address a JOIN member m ON m.node = a.node"
                             " WHERE a.ip = ?1 AND a.node != ?2 AND m.revoked = 0",
                             &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, addr_format(ip, a));
        db_bind_text(q, 2, node);
        return db_query_step(q);
}

int address_book_choose(Db *db, const PkiNames *head, const Addr *from, const Addr *claimed,
                        size_t n_claimed, PkiNames *ret)
{
        ret->n_addrs = 0;
        if (addr_is_set(from) && !addr_is_link_local(from))
                add(ret, from);
        for (size_t i = 0; i < n_claimed; i++) {
                if (!addr_is_usable(&claimed[i]) || has(head, &claimed[i]))
                        continue;
                int r = address_book_is_taken(db, ret->node, &claimed[i]);
                if (r < 0)
                        return r;
                if (r == 0)
                        add(ret, &claimed[i]);
        }
        return 0;
}

static int put(Db *db, const char *node, const Addr *a)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        char ip[ADDR_MAX];

        int r = db_query_new(db, "INSERT OR REPLACE INTO member_address(ip, node) VALUES(?1, ?2)",
                             &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, addr_format(ip, a));
        db_bind_text(q, 2, node);
        return db_query_run(q);
}

int address_book_put(Db *db, const PkiNames *names)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        int r = db_query_new(db, "DELETE FROM member_address WHERE node = ?1", &q);
        if (r < 0)
                return r;
        db_bind_text(q, 1, names->node);
        r = db_query_run(q);
        for (size_t i = 0; i < names->n_addrs && r >= 0; i++)
                r = put(db, names->node, &names->addrs[i]);
        return r;
}
