/* Ray's token: one for the cluster. The head makes it, unless an admin gave one; members get it by
 * the control port (member/), and Ray reads it in the folder that daemon and engine share. */
#pragma once

#include "model/role.h"
#include "model/settings.h"

/* Longest token file read: a token is some hundred bytes. */
#define TOKEN_FILE_MAX ((size_t)16 << 10)

/* As the daemon sends it with its own calls: 1 and the token (caller frees); 0: authentication is
 * off; -EACCES: there is a token that we may not read; -ENOENT: one is asked for and there is none.
 */
int token_load(const Settings *s, Role role, char **ret_token);

/* The head's: what an admin wrote into ENGINE_TOKEN_FILE, else what is kept in the state directory,
 * else a new one; put where Ray reads it. Does nothing while authentication is off. Negative errno:
 * there is none now, and *reterr (caller frees) says of which file and why. */
int token_provide(const Settings *s, const char *state_dir, char **reterr);

/* A member's, as the head gave it: kept, and put where Ray reads it. "": the cluster has none; what
 * was kept goes. *ret_other, also with an error: Ray reads another one than before, or may.
 * Negative errno: one of the two is not written. */
int token_take(const char *state_dir, const char *token, bool *ret_other);
/* After a boot, or a new start of the daemon: put what is kept where Ray reads it. -ENOENT: nothing
 * is. */
int token_restore(const char *state_dir);
/* What is kept (caller frees); -ENOENT: nothing. */
int token_kept(const char *state_dir, char **ret);

/* Another token for the head's cluster in place of the kept one. -EEXIST: an admin's file gives the
 * token; *reterr (caller frees), for every error but -ENOMEM. */
int token_rotate(const char *state_dir, char **reterr);
/* Somebody who knows the token is a member no more: holds until there is another. */
int token_mark(const char *state_dir, const char *who, const char *token);
/* Who knows this one (caller frees), or NULL. */
char *token_marked(const char *state_dir, const char *token);
