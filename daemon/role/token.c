#include "role/token.h"

#include <errno.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/args.h"

int token_load(const Settings *s, char **ret_token)
{
        const char *path;
        char *text = NULL;

        *ret_token = NULL;
        int r = engine_auth(s, NULL, &path);
        if (r <= 0)
                return r;
        r = read_file(path, TOKEN_FILE_MAX, &text, NULL);
        if (r < 0)
                return r;
        char *start = str_strip(text); /* as Ray reads it: without the newline */
        memmove(text, start, strlen(start) + 1);
        *ret_token = text;
        return 1;
}
