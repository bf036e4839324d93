#include "sys/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"

struct Db {
        sqlite3 *handle;
        bool unsafe; /* it waits for the disk no more, and cannot be told to: nothing is done */
};

struct DbQuery {
        Db *db; /* weak */
        sqlite3_stmt *st;
        int error; /* negative errno, of a bind */
};

static int to_errno(int rc)
{
        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EBADMSG;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_CONSTRAINT:
                return -EEXIST;
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_CANTOPEN:
                return -EACCES;
        case SQLITE_ERROR:
        case SQLITE_MISUSE:
        case SQLITE_RANGE:
        case SQLITE_MISMATCH:
                return -EINVAL;
        default:
                return -EIO;
        }
}

Db *db_free(Db *db)
{
        if (!db)
                return NULL;
        sqlite3_close(db->handle);
        free(db);
        return NULL;
}

static int run(Db *db, const char *sql)
{
        return to_errno(sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

int db_begin(Db *db)
{
        return db->unsafe ? -EIO : run(db, "BEGIN IMMEDIATE");
}

int db_commit(Db *db)
{
        return run(db, "COMMIT");
}

void db_rollback(Db *db)
{
        (void)run(db, "ROLLBACK");
}

unsigned db_changes(const Db *db)
{
        return (unsigned)sqlite3_changes(db->handle);
}

static int version(Db *db, size_t *ret)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        int r = db_query_new(db, "PRAGMA user_version", &q);
        if (r >= 0)
                r = db_query_step(q);
        if (r > 0)
                *ret = (size_t)db_int(q, 0);
        return r < 0 ? r : 0;
}

/* All steps that are due, or none of them. */
static int bring_up(Db *db, const char *const *steps, size_t n_steps)
{
        char set[64];
        size_t at = 0;

        int r = version(db, &at);
        if (r < 0 || at == n_steps)
                return r;
        if (at > n_steps)
                return -EUCLEAN;
        r = db_begin(db);
        if (r < 0)
                return r;
        (void)snprintf(set, sizeof(set), "PRAGMA user_version = %zu", n_steps);
        for (; at < n_steps && r >= 0; at++)
                r = run(db, steps[at]);
        if (r >= 0)
                r = run(db, set);
        if (r >= 0)
                r = db_commit(db);
        if (r < 0)
                db_rollback(db);
        return r;
}

/* SQLite gives a new file the umask's mode, and its companions that of the file. */
static int make_file(const char *path)
{
        if (streq(path, ":memory:"))
                return 0;
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd < 0 ? -errno : 0;
}

int db_open(const char *path, const char *const *steps, size_t n_steps, Db **ret)
{
        _cleanup_(db_freep) Db *db = new0(Db, 1);
        if (!db)
                return -ENOMEM;
        int r = make_file(path);
        if (r >= 0)
                r = to_errno(sqlite3_open_v2(path, &db->handle,
                                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
        /* FULL: what was said to be done outlives a power cut. */
        if (r >= 0)
                r = run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                            "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF");
        if (r >= 0)
                r = bring_up(db, steps, n_steps);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(db);
        return 0;
}

int db_query_new(Db *db, const char *sql, DbQuery **ret)
{
        if (db->unsafe)
                return -EIO;
        _cleanup_(db_query_freep) DbQuery *q = new0(DbQuery, 1);
        if (!q)
                return -ENOMEM;
        q->db = db;
        int r = to_errno(sqlite3_prepare_v2(db->handle, sql, -1, &q->st, NULL));
        if (r < 0)
                return r;
        *ret = TAKE_PTR(q);
        return 0;
}

DbQuery *db_query_free(DbQuery *q)
{
        if (!q)
                return NULL;
        sqlite3_finalize(q->st);
        free(q);
        return NULL;
}

static void note(DbQuery *q, int rc)
{
        if (q->error == 0)
                q->error = to_errno(rc);
}

void db_bind_int(DbQuery *q, int i, int64_t v)
{
        note(q, sqlite3_bind_int64(q->st, i, v));
}

void db_bind_text(DbQuery *q, int i, const char *v)
{
        note(q, v ? sqlite3_bind_text(q->st, i, v, -1, SQLITE_TRANSIENT)
                  : sqlite3_bind_null(q->st, i));
}

void db_bind_blob(DbQuery *q, int i, const void *v, size_t n)
{
        note(q, v ? sqlite3_bind_blob64(q->st, i, v, n, SQLITE_TRANSIENT)
                  : sqlite3_bind_null(q->st, i));
}

int db_query_step(DbQuery *q)
{
        if (q->error < 0)
                return q->error;
        int rc = sqlite3_step(q->st);
        return rc == SQLITE_ROW ? 1 : to_errno(rc);
}

int db_query_run(DbQuery *q)
{
        int r;
        while ((r = db_query_step(q)) > 0)
                ;
        return r;
}

/* WAL: NORMAL leaves the waiting to the next commit that does wait, or to a checkpoint. */
int db_query_run_lazily(DbQuery *q)
{
        int r = run(q->db, "PRAGMA synchronous = NORMAL");
        if (r < 0)
                return r;
        r = db_query_run(q);
        q->db->unsafe = run(q->db, "PRAGMA synchronous = FULL") < 0;
        return q->db->unsafe ? -EIO : r;
}

int64_t db_int(DbQuery *q, int i)
{
        return sqlite3_column_int64(q->st, i);
}

const char *db_text(DbQuery *q, int i)
{
        return strempty((const char *)sqlite3_column_text(q->st, i));
}

const void *db_blob(DbQuery *q, int i, size_t *ret_size)
{
        const void *p = sqlite3_column_blob(q->st, i);

        *ret_size = (size_t)sqlite3_column_bytes(q->st, i);
        return p;
}

/* --- whole --------------------------------------------------------------------------------------
 */

/* How long a program without a loop waits, in ms. */
#define BUSY_MS 5000

/* Bytes 18 and 19 of the header say how a database is written: 1 with a rollback journal, 2 with a
 * WAL (sqlite.org/fileformat2.html 1.3.3). One in memory can have none. */
#define WRITE_VERSION 18
#define READ_VERSION  19

static void snapshot_freep(unsigned char **p)
{
        sqlite3_free(*p);
}

int db_snapshot(const char *path, Buf *ret)
{
        _cleanup_(db_freep) Db *db = new0(Db, 1);
        _cleanup_(snapshot_freep) unsigned char *data = NULL;
        sqlite3_int64 size;

        if (!db)
                return -ENOMEM;
        /* not read-only: a WAL that a crash left is read by one who may write its index */
        int r = to_errno(sqlite3_open_v2(path, &db->handle,
                                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
        if (r >= 0)
                r = to_errno(sqlite3_busy_timeout(db->handle, BUSY_MS));
        /* what follows sees one state, and says what is wrong in words of its own */
        if (r >= 0)
                r = run(db, "BEGIN; SELECT count(*) FROM sqlite_schema");
        if (r < 0)
                return r;
        data = sqlite3_serialize(db->handle, "main", &size, 0);
        if (!data)
                return -ENOMEM;
        if (size <= READ_VERSION)
                return -EBADMSG;
        data[WRITE_VERSION] = data[READ_VERSION] = 1;
        r = buf_append(ret, data, (size_t)size);
        explicit_bzero(data, (size_t)size);
        return r;
}

/* "ok", or a list of what is wrong. */
static int check_pages(Db *db)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        int r = db_query_new(db, "PRAGMA integrity_check(1)", &q);
        if (r >= 0)
                r = db_query_step(q);
        return r < 0 ? r : r > 0 && streq(db_text(q, 0), "ok") ? 0 : -EBADMSG;
}

int db_check(const void *data, size_t n, size_t n_steps)
{
        _cleanup_(db_freep) Db *db = new0(Db, 1);
        size_t at = 0;

        if (!db)
                return -ENOMEM;
        if (n <= READ_VERSION)
                return -EBADMSG;
        int r = to_errno(sqlite3_open_v2(":memory:", &db->handle,
                                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
        if (r >= 0)
                r = to_errno(sqlite3_deserialize(db->handle, "main", (unsigned char *)data,
                                                 (sqlite3_int64)n, (sqlite3_int64)n,
                                                 SQLITE_DESERIALIZE_READONLY));
        if (r >= 0)
                r = check_pages(db);
        if (r >= 0)
                r = version(db, &at);
        return r < 0 ? r : at > n_steps ? -EUCLEAN : 0;
}
