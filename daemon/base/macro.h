/* Small macros that the whole tree uses: ownership, sizes, comparisons. libc only. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* unused: a variable may be there for its cleanup alone, of which clang would complain. */
#define _cleanup_(f)         __attribute__((cleanup(f), unused))
#define _printf_(a, b)       __attribute__((format(printf, a, b)))
#define _unused_             __attribute__((unused))
#define _fallthrough_        __attribute__((fallthrough))
#define _warn_unused_result_ __attribute__((warn_unused_result))

#define ELEMENTSOF(x)                   (sizeof(x) / sizeof((x)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b)                                                                                  \
        ({                                                                                         \
                __typeof__(a) _min_a = (a);                                                        \
                __typeof__(b) _min_b = (b);                                                        \
                _min_a < _min_b ? _min_a : _min_b;                                                 \
        })
#define MAX(a, b)                                                                                  \
        ({                                                                                         \
                __typeof__(a) _max_a = (a);                                                        \
                __typeof__(b) _max_b = (b);                                                        \
                _max_a > _max_b ? _max_a : _max_b;                                                 \
        })

/* Hands a value over and leaves NULL (TAKE_PTR) or -EBADF (TAKE_FD) behind, so that _cleanup_ lets
 * go of it. */
#define TAKE_PTR(p)                                                                                \
        ({                                                                                         \
                __typeof__(p) _taken = (p);                                                        \
                (p) = NULL;                                                                        \
                _taken;                                                                            \
        })
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int _taken_fd = (fd);                                                              \
                (fd) = -EBADF;                                                                     \
                _taken_fd;                                                                         \
        })

/* static inline void <name>p(type *p): a cleanup function that calls func on a non-NULL pointer. */
#define DEFINE_CLEANUP(type, func)                                                                 \
        static inline void func##p(type *p)                                                        \
        {                                                                                          \
                if (*p)                                                                            \
                        func(*p);                                                                  \
        }                                                                                          \
        struct func##_swallow_semicolon

/* errno of a failed libc call as a negative number; never 0. */
#define ERRNO_OR(fallback) (errno > 0 ? -errno : -(fallback))
