#include "wire/json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "base/str.h"
#include "base/strv.h"

Json *json_free(Json *j)
{
        json_decref(j);
        return NULL;
}

int json_parse(const char *data, size_t size, Json **ret)
{
        json_error_t e;

        if (size > JSON_BYTES_MAX)
                return -E2BIG;
        /* jansson refuses more than 2048 levels by itself (JSON_PARSER_MAX_DEPTH) */
        Json *j = json_loadb(data, size, JSON_REJECT_DUPLICATES, &e);
        if (!j)
                return json_error_code(&e) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
        *ret = j;
        return 0;
}

const Json *json_get(const Json *object, const char *key)
{
        return json_object_get(object, key);
}

const char *json_str(const Json *j)
{
        return json_string_value(j);
}

const char *json_get_str(const Json *object, const char *key)
{
        return json_str(json_get(object, key));
}

int json_get_int(const Json *object, const char *key, int64_t *ret)
{
        const Json *j = json_get(object, key);

        if (!json_is_integer(j))
                return -ENOENT;
        *ret = json_integer_value(j);
        return 0;
}

int json_get_bool(const Json *object, const char *key, bool *ret)
{
        const Json *j = json_get(object, key);

        if (!json_is_boolean(j))
                return -ENOENT;
        *ret = json_is_true(j);
        return 0;
}

bool json_is_map(const Json *j)
{
        return json_is_object(j);
}

bool json_is_list(const Json *j)
{
        return json_is_array(j);
}

bool json_is_nothing(const Json *j)
{
        return json_is_null(j);
}

size_t json_length(const Json *array)
{
        return json_array_size(array);
}

const Json *json_at(const Json *array, size_t i)
{
        return json_array_get(array, i);
}

Json *json_object_new(void)
{
        return json_object();
}

Json *json_array_new(void)
{
        return json_array();
}

Json *json_null_new(void)
{
        return json_null();
}

int json_set(Json *object, const char *key, Json *v)
{
        return v && json_object_set_new(object, key, v) == 0 ? 0 : -ENOMEM;
}

int json_push(Json *array, Json *v)
{
        return v && json_array_append_new(array, v) == 0 ? 0 : -ENOMEM;
}

static Json *string(const char *s)
{
        if (!s)
                return json_null();
        Json *j = json_string(s);
        if (j)
                return j;
        /* not UTF-8, or no memory */
        _cleanup_free_ char *clean = str_escape(s, strlen(s), strlen(s));
        return clean ? json_string(clean) : NULL;
}

int json_set_str(Json *object, const char *key, const char *v)
{
        return json_set(object, key, string(v));
}

int json_push_str(Json *array, const char *v)
{
        return json_push(array, string(v));
}

int json_set_int(Json *object, const char *key, int64_t v)
{
        return json_set(object, key, json_integer(v));
}

int json_set_real(Json *object, const char *key, double v)
{
        return json_set(object, key, isfinite(v) ? json_real(v) : json_null());
}

int json_set_bool(Json *object, const char *key, bool v)
{
        return json_set(object, key, json_boolean(v));
}

int json_set_strv(Json *object, const char *key, char *const *l)
{
        _cleanup_json_ Json *a = json_array();

        if (!a)
                return -ENOMEM;
        STRV_FOREACH (s, l) {
                int r = json_push_str(a, *s);
                if (r < 0)
                        return r;
        }
        return json_set(object, key, TAKE_PTR(a));
}

char *json_format(const Json *j, bool pretty)
{
        return json_dumps(j, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15) |
                                     (pretty ? JSON_INDENT(2) : JSON_COMPACT));
}
