/* JSON: the one door to the library. Values are reference-counted by it; here every value has one
 * owner. Text from strangers may be anything: bytes that are not UTF-8 are written as \xNN. */
#pragma once

#include "base/macro.h"

typedef struct json_t Json;

/* Largest text that is parsed; what Ray keeps in its KV store for us is far below. */
#define JSON_BYTES_MAX ((size_t)1 << 20)

Json *json_free(Json *j);
static inline void json_freep(Json **j)
{
        if (*j)
                json_free(*j);
}
#define _cleanup_json_ _cleanup_(json_freep)

/* An object or array at the top, at most JSON_BYTES_MAX bytes, no key twice. -EBADMSG, -E2BIG,
 * -ENOMEM. */
int json_parse(const char *data, size_t size, Json **ret);

/* Borrowed; NULL when absent or of another type. */
const Json *json_get(const Json *object, const char *key);
const char *json_get_str(const Json *object, const char *key);
/* -ENOENT when absent or of another type. */
int json_get_int(const Json *object, const char *key, int64_t *ret);
int json_get_bool(const Json *object, const char *key, bool *ret);
bool json_is_map(const Json *j);
bool json_is_list(const Json *j);
/* JSON's null; not what is absent. */
bool json_is_nothing(const Json *j);
size_t json_length(const Json *array);
const Json *json_at(const Json *array, size_t i);
/* The text of a string value itself, or NULL. */
const char *json_str(const Json *j);

/* NULL when out of memory. */
Json *json_object_new(void);
Json *json_array_new(void);
Json *json_null_new(void);

/* Into an object under key. 0 or -ENOMEM. v = NULL is JSON's null. */
int json_set_str(Json *object, const char *key, const char *v);
int json_set_int(Json *object, const char *key, int64_t v);
int json_set_real(Json *object, const char *key, double v); /* null when not finite */
int json_set_bool(Json *object, const char *key, bool v);
/* v is taken, also on failure; NULL is out of memory. */
int json_set(Json *object, const char *key, Json *v);
int json_push(Json *array, Json *v);
int json_push_str(Json *array, const char *v);
/* A list of strings as an array. */
int json_set_strv(Json *object, const char *key, char *const *l);

/* Keys in the order they were set; indented, or in one line. Caller frees; NULL when out of memory.
 */
char *json_format(const Json *j, bool pretty) _warn_unused_result_;
