#include "member/store.h"

#include "base/macro.h"

/* Never changed once released; what comes later is a further step. */
static const char *const steps[] = {
        "CREATE TABLE token("
        " id TEXT PRIMARY KEY, key BLOB NOT NULL, created INTEGER NOT NULL,"
        " expires INTEGER NOT NULL, uses INTEGER NOT NULL, left INTEGER NOT NULL,"
        " pattern TEXT NOT NULL, node_group TEXT NOT NULL, subnet TEXT NOT NULL,"
        " revoked INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE member("
        " node TEXT PRIMARY KEY, name TEXT NOT NULL, node_group TEXT NOT NULL,"
        " token TEXT NOT NULL, pin BLOB NOT NULL UNIQUE, enrolled INTEGER NOT NULL,"
        " not_after INTEGER NOT NULL, seen INTEGER NOT NULL, revoked INTEGER NOT NULL)"
        " STRICT, WITHOUT ROWID;"
        "CREATE UNIQUE INDEX member_name ON member(name) WHERE revoked = 0;",
        "CREATE TABLE member_address("
        " ip TEXT PRIMARY KEY, node TEXT NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE INDEX member_address_node ON member_address(node);",
        "CREATE TABLE verdict("
        " pin BLOB PRIMARY KEY, approved INTEGER NOT NULL, node TEXT NOT NULL,"
        " name TEXT NOT NULL, takes TEXT NOT NULL, until INTEGER NOT NULL)"
        " STRICT, WITHOUT ROWID;"
        "CREATE TABLE auto_approval("
        " subnet TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
};

int store_open(const char *path, Db **ret)
{
        return db_open(path, steps, ELEMENTSOF(steps), ret);
}

int store_check(const void *data, size_t n)
{
        return db_check(data, n, ELEMENTSOF(steps));
}
