/* The door to SQLite: steps from version to version, all or nothing, and what its errors become. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "sys/db.h"

static char dir[] = "/tmp/test-db-XXXXXX";
static char path[64];

static const char *const steps[] = {
        "CREATE TABLE t(k TEXT PRIMARY KEY, n INTEGER NOT NULL, b BLOB) STRICT",
        "ALTER TABLE t ADD COLUMN more TEXT",
};

static int make_dir(void **state)
{
        assert_non_null(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/a.db", dir);
        return 0;
}

static void remove_files(void)
{
        static const char *const ends[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                char name[80];
                (void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
                (void)unlink(name);
        }
}

static int remove_dir(void **state)
{
        remove_files();
        return rmdir(dir);
}

static Db *open_at(size_t n_steps)
{
        Db *db = NULL;
        assert_int_equal(db_open(path, steps, n_steps, &db), 0);
        return db;
}

static int put(Db *db, const char *k, int64_t n)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        assert_int_equal(db_query_new(db, "INSERT INTO t(k, n, b) VALUES(?1, ?2, ?3)", &q), 0);
        db_bind_text(q, 1, k);
        db_bind_int(q, 2, n);
        db_bind_blob(q, 3, "\0\1\2", 3);
        return db_query_run(q);
}

static int64_t count(Db *db)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        assert_int_equal(db_query_new(db, "SELECT count(*) FROM t", &q), 0);
        assert_int_equal(db_query_step(q), 1);
        return db_int(q, 0);
}

static void test_steps(void **state)
{
        _cleanup_(db_freep) Db *db = open_at(1);
        struct stat st;
        size_t n;

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(put(db, "a", -5), 0);
        assert_int_equal(db_changes(db), 1);
        assert_int_equal(put(db, "a", 6), -EEXIST);
        db = db_free(db);
        db = open_at(2); /* the rows are still there, and the column is new */
        _cleanup_(db_query_freep) DbQuery *q = NULL;
        assert_int_equal(db_query_new(db, "SELECT k, n, b, more FROM t", &q), 0);
        assert_int_equal(db_query_step(q), 1);
        assert_string_equal(db_text(q, 0), "a");
        assert_true(db_int(q, 1) == -5);
        assert_memory_equal(db_blob(q, 2, &n), "\0\1\2", 3);
        assert_int_equal(n, 3);
        assert_string_equal(db_text(q, 3), "");
        assert_int_equal(db_query_step(q), 0);
        q = db_query_free(q);
        db = db_free(db);
        assert_int_equal(db_open(path, steps, 1, &db), -EUCLEAN); /* of a later version */
        remove_files();
}

static int64_t waits(Db *db)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        assert_int_equal(db_query_new(db, "PRAGMA synchronous", &q), 0);
        assert_int_equal(db_query_step(q), 1);
        return db_int(q, 0);
}

/* What follows one that did not wait for the disk waits again. */
static void test_lazily(void **state)
{
        _cleanup_(db_freep) Db *db = open_at(2);
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        assert_int_equal(waits(db), 2);
        assert_int_equal(db_query_new(db, "INSERT INTO t(k, n) VALUES('lazy', 1)", &q), 0);
        assert_int_equal(db_query_run_lazily(q), 0);
        assert_int_equal(db_changes(db), 1);
        assert_int_equal(waits(db), 2);
        /* not within a transaction: what is in it has to be on the disk */
        assert_int_equal(db_begin(db), 0);
        q = db_query_free(q);
        assert_int_equal(db_query_new(db, "INSERT INTO t(k, n) VALUES('lazy2', 1)", &q), 0);
        assert_int_equal(db_query_run_lazily(q), -EINVAL);
        db_rollback(db);
        assert_int_equal(waits(db), 2);
        q = db_query_free(q);
        db = db_free(db);
        remove_files();
}

static void test_bad_step(void **state)
{
        const char *const bad[] = {steps[0], "CREATE TABLE u(x) STRICT; NONSENSE"};
        _cleanup_(db_freep) Db *db = NULL;

        assert_int_equal(db_open(path, bad, 2, &db), -EINVAL);
        db = open_at(1); /* nothing of either was done */
        assert_true(count(db) == 0);
        remove_files();
}

static void test_all_or_nothing(void **state)
{
        _cleanup_(db_freep) Db *db = open_at(2);

        assert_int_equal(db_begin(db), 0);
        assert_int_equal(put(db, "a", 1), 0);
        db_rollback(db);
        assert_true(count(db) == 0);
        assert_int_equal(db_begin(db), 0);
        assert_int_equal(put(db, "a", 1), 0);
        assert_int_equal(put(db, "b", 2), 0);
        assert_int_equal(db_commit(db), 0);
        assert_true(count(db) == 2);
        remove_files();
}

/* A disk that takes no more: refused, and what was there is there. */
static void test_no_room(void **state)
{
        _cleanup_(db_freep) Db *db = open_at(2);
        struct rlimit before, little = {.rlim_cur = 64 << 10};
        char k[2000];
        int r = 0;
        int64_t n = 0;

        memset(k, 'x', sizeof(k) - 1);
        k[sizeof(k) - 1] = 0;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        little.rlim_max = before.rlim_max;
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
        for (; n < 100 && r >= 0; n++) {
                (void)snprintf(k, 10, "%08d", (int)n);
                k[8] = 'x';
                r = put(db, k, n);
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_true(r == -EIO || r == -ENOSPC);
        assert_true(count(db) == n - 1);
        assert_int_equal(put(db, "later", 1), 0);
        remove_files();
}

static void test_damaged(void **state)
{
        _cleanup_(db_freep) Db *db = NULL;
        static const char junk[4096] = "this is no database, whatever its name says";

        assert_int_equal(write_file_atomic(path, junk, sizeof(junk), 0600, (gid_t)-1), 0);
        assert_int_equal(db_open(path, steps, 2, &db), -EBADMSG);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(db_open("/nonexistent/a.db", steps, 2, &db), -ENOENT);
        assert_int_equal(symlink("/dev/null", path), 0); /* not followed */
        assert_int_equal(db_open(path, steps, 2, &db), -ELOOP);
        remove_files();
}

/* --- whole */

/* Written out as a file of its own, and opened. */
static Db *open_copy(const Buf *b, char ret_path[80])
{
        Db *db = NULL;

        (void)snprintf(ret_path, 80, "%s/copy.db", dir);
        assert_int_equal(write_file_atomic(ret_path, buf_data(b), buf_size(b), 0600, (gid_t)-1), 0);
        assert_int_equal(db_open(ret_path, steps, 2, &db), 0);
        return db;
}

static void remove_copy(Db *db, const char *copy)
{
        static const char *const ends[] = {"", "-wal", "-shm"};

        db_free(db);
        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                char name[96];
                (void)snprintf(name, sizeof(name), "%s%s", copy, ends[i]);
                (void)unlink(name);
        }
}

/* Somebody is in the middle of a change: what he has done before is there, and nothing of it. */
static void test_snapshot_live(void **state)
{
        _cleanup_(db_freep) Db *db = open_at(2);
        _cleanup_buf_ Buf b = {0};
        char copy[80];

        assert_int_equal(put(db, "a", 1), 0); /* in the WAL, and nowhere else yet */
        assert_int_equal(db_begin(db), 0);
        for (int64_t i = 0; i < 100; i++) {
                char k[16];
                (void)snprintf(k, sizeof(k), "b%d", (int)i);
                assert_int_equal(put(db, k, i), 0);
        }
        assert_int_equal(db_snapshot(path, &b), 0);
        assert_int_equal(db_check(buf_data(&b), buf_size(&b), 2), 0);
        assert_int_equal(db_commit(db), 0); /* nobody was in the way */
        assert_true(count(db) == 101);
        Db *c = open_copy(&b, copy);
        assert_true(count(c) == 1);
        assert_int_equal(put(c, "later", 2), 0);
        remove_copy(c, copy);
        remove_files();
}

static void test_check(void **state)
{
        _cleanup_(db_freep) Db *db = open_at(2);
        _cleanup_buf_ Buf b = {0}, none = {.limit = 4096};

        for (int64_t i = 0; i < 300; i++) {
                char k[400];
                memset(k, 'x', sizeof(k));
                (void)snprintf(k, sizeof(k), "%08d", (int)i);
                k[8] = 'x';
                k[sizeof(k) - 1] = 0;
                assert_int_equal(put(db, k, i), 0);
        }
        assert_int_equal(db_snapshot(path, &none), -EMSGSIZE);
        assert_int_equal(db_snapshot("/nonexistent/a.db", &none), -EACCES);
        assert_int_equal(buf_size(&none), 0);
        assert_int_equal(db_snapshot(path, &b), 0);
        assert_int_equal(db_check(buf_data(&b), buf_size(&b), 1), -EUCLEAN);
        assert_int_equal(db_check(buf_data(&b), buf_size(&b), 3), 0); /* a step is due */
        assert_int_equal(db_check(buf_data(&b), buf_size(&b) - 4096, 2), -EBADMSG);
        assert_int_equal(db_check(buf_data(&b), 10, 2), -EBADMSG);
        memset(b.data + (buf_size(&b) / 2 & ~(size_t)4095), 0xff, 512); /* one page */
        assert_int_equal(db_check(buf_data(&b), buf_size(&b), 2), -EBADMSG);
        memset(b.data, 'x', 16);
        assert_int_equal(db_check(buf_data(&b), buf_size(&b), 2), -EBADMSG);
        db = db_free(db);
        remove_files();
        assert_int_equal(write_file_atomic(path, b.data, buf_size(&b), 0600, (gid_t)-1), 0);
        assert_int_equal(db_snapshot(path, &b), -EBADMSG);
        remove_files();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_steps),          cmocka_unit_test(test_bad_step),
                cmocka_unit_test(test_all_or_nothing), cmocka_unit_test(test_no_room),
                cmocka_unit_test(test_damaged),        cmocka_unit_test(test_snapshot_live),
                cmocka_unit_test(test_check),          cmocka_unit_test(test_lazily),
        };
        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
