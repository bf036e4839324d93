#include "role/token.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/str.h"
#include "engine/args.h"
#include "sys/mac.h"

/* As many bits as the key of an HMAC with SHA-256; Ray takes any text. */
#define TOKEN_BYTES 32
/* In the state directory: who is to be kept out by another token, and on a second line which one
 * that is: an admin may write another, and then nothing is left to be done. */
#define MARK_NAME "ray-token.known-to"

/* As Ray reads it: without the newline. */
static int read_token(const char *path, char **ret)
{
        char *text;

        int r = read_file(path, TOKEN_FILE_MAX, &text, NULL);
        if (r < 0)
                return r;
        char *start = str_strip(text);
        memmove(text, start, strlen(start) + 1);
        *ret = text;
        return 0;
}

int token_load(const Settings *s, Role role, char **ret_token)
{
        _cleanup_free_ char *path = NULL;

        *ret_token = NULL;
        int r = engine_auth(s, role, NULL, &path);
        if (r <= 0)
                return r;
        r = read_token(path, ret_token);
        return r < 0 ? r : 1;
}

/* 1: it was another one. mode: who may read it. */
static int write_token(const char *path, const char *token, mode_t mode)
{
        _cleanup_forget_text_ char *old = NULL;

        if (read_token(path, &old) >= 0 && streq(old, token))
                return 0;
        int r = write_file_atomic(path, token, strlen(token), mode, (gid_t)-1);
        return r < 0 ? r : 1;
}

/* The folder's set-group-id bit gives it Ray's group. */
static int offer(const char *token)
{
        _cleanup_free_ char *path = path_join(engine_run_dir(), ENGINE_TOKEN_NAME);

        return path ? write_token(path, token, 0640) : -ENOMEM;
}

static int make_token(const char *path, char **ret)
{
        _cleanup_forget_text_ char *text = NULL;
        uint8_t bytes[TOKEN_BYTES];

        int r = random_bytes(bytes, sizeof(bytes));
        if (r < 0)
                return r;
        text = hex_encode(bytes, sizeof(bytes));
        mac_forget(bytes, sizeof(bytes));
        if (!text)
                return -ENOMEM;
        r = write_file_atomic(path, text, strlen(text), 0600, (gid_t)-1);
        if (r >= 0)
                *ret = TAKE_PTR(text);
        return r;
}

static int complain(char **reterr, int r, const char *path)
{
        *reterr = str_printf("%s: %s", path, strerror(-r));
        return r;
}

int token_provide(const Settings *s, const char *state_dir, char **reterr)
{
        _cleanup_free_ char *kept = path_join(state_dir, ENGINE_TOKEN_NAME);
        _cleanup_forget_text_ char *token = NULL;
        const char *path = ENGINE_TOKEN_FILE;

        *reterr = NULL;
        if (!kept)
                return -ENOMEM;
        if (streq(s->auth_mode, "disabled"))
                return 0;
        int r = read_token(path, &token);
        if (r == -ENOENT) {
                path = kept;
                r = read_token(path, &token);
                if (r == -ENOENT || (r >= 0 && isempty(token))) {
                        mac_forget_text(&token);
                        r = make_token(path, &token);
                }
        }
        if (r < 0)
                return complain(reterr, r, path);
        if (isempty(token))
                return complain(reterr, -ENODATA, path);
        r = offer(token);
        return r < 0 ? complain(reterr, r, engine_run_dir()) : 0;
}

int token_take(const char *state_dir, const char *token, bool *ret_other)
{
        _cleanup_free_ char *kept = path_join(state_dir, ENGINE_TOKEN_NAME);
        _cleanup_free_ char *offered = path_join(engine_run_dir(), ENGINE_TOKEN_NAME);

        *ret_other = false;
        if (!kept || !offered)
                return -ENOMEM;
        if (isempty(token)) {
                bool had = unlink(kept) == 0;
                *ret_other = unlink(offered) == 0 || had;
                return 0;
        }
        int r = write_token(kept, token, 0600);
        int q = offer(token);
        *ret_other = q > 0 || (q == 0 && r > 0);
        return r < 0 ? r : MIN(q, 0);
}

int token_kept(const char *state_dir, char **ret)
{
        _cleanup_free_ char *kept = path_join(state_dir, ENGINE_TOKEN_NAME);

        return kept ? read_token(kept, ret) : -ENOMEM;
}

int token_restore(const char *state_dir)
{
        _cleanup_forget_text_ char *token = NULL;

        int r = token_kept(state_dir, &token);
        if (r >= 0)
                r = offer(token);
        return r < 0 ? r : 0;
}

int token_rotate(const char *state_dir, char **reterr)
{
        _cleanup_free_ char *kept = path_join(state_dir, ENGINE_TOKEN_NAME);
        _cleanup_free_ char *mark = path_join(state_dir, MARK_NAME);
        _cleanup_forget_text_ char *token = NULL;

        *reterr = NULL;
        if (!kept || !mark)
                return -ENOMEM;
        if (access(ENGINE_TOKEN_FILE, F_OK) == 0) {
                *reterr = strdup("the token is the one in " ENGINE_TOKEN_FILE
                                 ": write another one there, or remove that file");
                return -EEXIST;
        }
        int r = make_token(kept, &token);
        if (r < 0)
                return complain(reterr, r, kept);
        (void)unlink(mark);
        return 0;
}

/* Of a token, for nothing else. */
static int hash_of(const char *token, char **ret)
{
        const struct iovec part = {(char *)token, strlen(token)};
        uint8_t hash[MAC_SIZE];

        int r = mac_hmac_sha256(MARK_NAME, strlen(MARK_NAME), &part, 1, hash);
        if (r < 0)
                return r;
        *ret = hex_encode(hash, sizeof(hash));
        return *ret ? 0 : -ENOMEM;
}

int token_mark(const char *state_dir, const char *who, const char *token)
{
        _cleanup_free_ char *mark = path_join(state_dir, MARK_NAME), *hash = NULL, *text = NULL;

        int r = mark ? hash_of(token, &hash) : -ENOMEM;
        if (r < 0)
                return r;
        text = str_printf("%s\n%s\n", who, hash);
        return text ? write_file_atomic(mark, text, strlen(text), 0600, (gid_t)-1) : -ENOMEM;
}

char *token_marked(const char *state_dir, const char *token)
{
        _cleanup_free_ char *mark = path_join(state_dir, MARK_NAME), *who = NULL, *hash = NULL;

        if (!mark || read_file(mark, TOKEN_FILE_MAX, &who, NULL) < 0)
                return NULL;
        char *of = strchr(who, '\n');
        if (of) { /* earlier ones have the name alone */
                *of++ = 0;
                of[strcspn(of, "\n")] = 0;
                if (hash_of(token, &hash) >= 0 && !streq(of, hash))
                        return NULL;
        }
        return TAKE_PTR(who);
}
