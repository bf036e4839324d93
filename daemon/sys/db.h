/* A small SQLite database of one owner: opened with the steps that bring it to this version, asked
 * by prepared statements. Every change outside a transaction is one; after 0 it is on the disk.
 *
 * Errors: -ENOSPC the disk is full, -EBADMSG damaged or no database, -EUCLEAN made by a later
 * version, -EBUSY somebody else holds it, -EEXIST a row of that key is there, -EACCES, -EIO,
 * -ENOMEM. Not to be called with a statement that has mistakes: -EINVAL. */
#pragma once

#include <sys/types.h>

#include "base/buf.h"

typedef struct Db Db;
typedef struct DbQuery DbQuery;

/* Made with mode 0600 when it is missing; ":memory:" for tests. steps[i] leads from version i to i
 * + 1 and is never changed once released; those that are due are done in one transaction. */
int db_open(const char *path, const char *const *steps, size_t n_steps, Db **ret);
Db *db_free(Db *db);
DEFINE_CLEANUP(Db *, db_free);

/* Everything between is done, or, without db_commit(), nothing. No nesting. */
int db_begin(Db *db);
int db_commit(Db *db);
void db_rollback(Db *db);
/* Rows that the last statement changed. */
unsigned db_changes(const Db *db);

/* sql: a literal, values as ?1, ?2 … The query must not outlive the database. */
int db_query_new(Db *db, const char *sql, DbQuery **ret);
DbQuery *db_query_free(DbQuery *q);
DEFINE_CLEANUP(DbQuery *, db_query_free);
/* From 1. Copied; a mistake is told by db_query_step(). NULL text and blobs are NULL. */
void db_bind_int(DbQuery *q, int i, int64_t v);
void db_bind_text(DbQuery *q, int i, const char *v);
void db_bind_blob(DbQuery *q, int i, const void *v, size_t n);
/* 1: there is a row; 0: no more. */
int db_query_step(DbQuery *q);
/* Steps to the end of a statement without rows. */
int db_query_run(DbQuery *q);
/* The same outside a transaction, for what nobody misses: whole or not there, as all else, but
 * without waiting for the disk, so that a power cut may lose it. */
int db_query_run_lazily(DbQuery *q);
/* Of the row, from 0; valid until the next step. NULL text is "". */
int64_t db_int(DbQuery *q, int i);
const char *db_text(DbQuery *q, int i);
const void *db_blob(DbQuery *q, int i, size_t *ret_size);

/* --- whole --- */

/* Appends the database as it is after the last commit, in one piece, with whatever its journal
 * holds; somebody may write to it meanwhile. For programs without a loop: waits up to five seconds
 * for one who holds it. No step is taken. -EMSGSIZE: over the buffer's limit. */
int db_snapshot(const char *path, Buf *ret);
/* Would db_open() with so many steps take these bytes? Looks at every page, in memory alone. */
int db_check(const void *data, size_t n, size_t n_steps);
