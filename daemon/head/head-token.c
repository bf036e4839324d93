#include "head/head-token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "role/token.h"
#include "sys/mac.h"

static bool take(HeadToken *t, char *text)
{
        bool news = !streq_ptr(text, t->text);

        mac_forget_text(&t->text);
        t->text = text;
        return news;
}

static void judge(HeadToken *t, int r, const char *why)
{
        _cleanup_free_ char *before = TAKE_PTR(t->missing);

        if (r < 0 && t->text)
                (void)log_warning_errno(r, "Ray's token stays what it was: %s", why);
        if (r < 0 && !t->text)
                t->missing = str_printf("Ray's token cannot be had: %s", why);
        if (t->missing && !streq_ptr(before, t->missing))
                log_event(LOG_WARNING, MSG_BLOCKED, NULL, "blocked: %s", t->missing);
        else if (!t->missing && before)
                log_event(LOG_INFO, MSG_UNBLOCKED, NULL, "Ray's token is missed no more");
}

bool head_token_load(HeadToken *t, const Settings *s, const char *state_dir)
{
        _cleanup_free_ char *why = NULL;
        char *text = NULL;

        int provided = token_provide(s, state_dir, &why);
        int r = token_load(s, ROLE_HEAD, &text);
        if (text && isempty(text)) { /* to members, the word for none */
                free(TAKE_PTR(text));
                r = -ENODATA;
        }
        bool news = r >= 0 && take(t, text);
        if (provided < 0 && r >= 0) /* what Ray reads is there, and may be an older one */
                (void)log_warning_errno(provided, "Ray's token cannot be had: %s", strna(why));
        judge(t, r, why ? why : strerror(r < 0 ? -r : 0));
        return news;
}

void head_token_done(HeadToken *t)
{
        mac_forget_text(&t->text);
        free(t->missing);
        *t = (HeadToken){0};
}
