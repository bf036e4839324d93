/* enum <-> string tables. A table is `static const char *const name_table[_X_MAX]` with every entry
 * set; tests walk them. */
#pragma once

#include <errno.h>
#include <sys/types.h>

#include "base/str.h"

static inline const char *strtab_lookup(const char *const *table, size_t n, ssize_t i)
{
        return i >= 0 && (size_t)i < n ? table[i] : NULL;
}

static inline ssize_t strtab_find(const char *const *table, size_t n, const char *s)
{
        for (size_t i = 0; s && i < n; i++)
                if (table[i] && streq(table[i], s))
                        return (ssize_t)i;
        return -EINVAL;
}

#define DECLARE_STRTAB(name, type)                                                                 \
        const char *name##_to_string(type i);                                                      \
        type name##_from_string(const char *s)

#define DEFINE_STRTAB(name, type)                                                                  \
        const char *name##_to_string(type i)                                                       \
        {                                                                                          \
                return strtab_lookup(name##_table, ELEMENTSOF(name##_table), (ssize_t)i);          \
        }                                                                                          \
        type name##_from_string(const char *s)                                                     \
        {                                                                                          \
                return (type)strtab_find(name##_table, ELEMENTSOF(name##_table), s);               \
        }                                                                                          \
        struct name##_swallow_semicolon
