#include "wire/txt.h"

#include <errno.h>
#include <stdio.h>

#include "base/parse.h"
#include "base/str.h"

/* "key=value", key of printable ASCII and not empty; the value may be binary in the RFC, ours is
 * text that goes to people. */
static bool is_text(const char *s, size_t n)
{
        if (n == 0 || n > TXT_STRING_MAX || s[0] == '=')
                return false;
        for (size_t i = 0; i < n; i++)
                if (s[i] < 0x20 || s[i] > 0x7e)
                        return false;
        return true;
}

int txt_accept(char ***txt, const void *data, size_t n)
{
        if (!is_text(data, n) || strv_length(*txt) >= TXT_ENTRIES_MAX)
                return 0;
        int r = strv_consume(txt, strndup(data, n));
        return r < 0 ? r : 1;
}

int txt_decode(const void *data, size_t n, char ***ret)
{
        _cleanup_strv_free_ char **l = NULL;
        const uint8_t *p = data;

        for (size_t i = 0; i < n; i += 1U + p[i]) {
                if (p[i] > n - i - 1)
                        return -EBADMSG;
                int r = txt_accept(&l, p + i + 1, p[i]);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(l);
        return 0;
}

int txt_encode(char *const *txt, Buf *ret)
{
        _cleanup_buf_ Buf b = {0};

        STRV_FOREACH (s, txt) {
                size_t n = strlen(*s);
                if (n > TXT_STRING_MAX || buf_size(&b) + 1 + n > TXT_SIZE_MAX)
                        return -E2BIG;
                if (!is_text(*s, n))
                        return -EINVAL;
                uint8_t len = (uint8_t)n;
                int r = buf_append(&b, &len, 1);
                if (r >= 0)
                        r = buf_append(&b, *s, n);
                if (r < 0)
                        return r;
        }
        *ret = b;
        b = (Buf){0};
        return 0;
}

const char *txt_get(char *const *txt, const char *key)
{
        size_t n = strlen(key);

        STRV_FOREACH (s, txt) {
                if (strncasecmp(*s, key, n) != 0)
                        continue;
                if ((*s)[n] == '=')
                        return *s + n + 1;
                if ((*s)[n] == 0)
                        return "";
        }
        return NULL;
}

static void get_string(char *const *txt, const char *key, char *buf, size_t size)
{
        const char *v = strempty(txt_get(txt, key));
        (void)snprintf(buf, size, "%s", strlen(v) < size ? v : "");
}

void head_txt_parse(char *const *txt, HeadTxt *ret)
{
        *ret = (HeadTxt){0};
        get_string(txt, "cluster", ret->cluster, sizeof(ret->cluster));
        get_string(txt, "id", ret->id, sizeof(ret->id));
        get_string(txt, "role", ret->role, sizeof(ret->role));
        get_string(txt, "ray", ret->ray, sizeof(ret->ray));
        get_string(txt, "py", ret->python, sizeof(ret->python));
        get_string(txt, "auth", ret->auth, sizeof(ret->auth));
        if (parse_port(strempty(txt_get(txt, "gcs")), &ret->gcs) < 0)
                ret->gcs = 0;
}

int head_txt_format(const HeadTxt *t, char ***ret)
{
        const struct {
                const char *key, *value;
        } said[] = {
                {"cluster", t->cluster}, {"id", t->id},     {"role", t->role},
                {"ray", t->ray},         {"py", t->python}, {"auth", t->auth},
        };
        _cleanup_strv_free_ char **l = NULL;

        int r = strv_extend(&l, "txtvers=1");
        for (size_t i = 0; i < ELEMENTSOF(said) && r >= 0; i++)
                if (!isempty(said[i].value))
                        r = strv_extendf(&l, "%s=%s", said[i].key, said[i].value);
        if (r >= 0 && t->gcs)
                r = strv_extendf(&l, "gcs=%u", t->gcs);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}
