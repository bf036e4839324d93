/* Ray's token, as the daemon sends it with its own calls. */
#pragma once

#include "model/settings.h"

/* Longest token file read: a token is some hundred bytes. */
#define TOKEN_FILE_MAX ((size_t)16 << 10)

/* 1 and the token (caller frees); 0: authentication is off; -EACCES: there is a token that we may
 * not read; -ENOENT: one is asked for and there is none. */
int token_load(const Settings *s, char **ret_token);
