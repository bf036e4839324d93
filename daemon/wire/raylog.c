#include "wire/raylog.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "base/str.h"

/* "2026-11-23 07:47:09,531" */
#define TIME_LEN 23

static bool is_time(const char *s)
{
        static const char shape[] = "dddd-dd-dd dd:dd:dd,ddd";

        for (size_t i = 0; i < TIME_LEN; i++)
                if (shape[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != shape[i])
                        return false; /* also at the end of s */
        return true;
}

/* "(gcs_server) rest" -> component and rest; s itself without one. */
static const char *take_component(const char *s, RayLog *l)
{
        if (*s != '(')
                return s;
        size_t n = strcspn(s + 1, " )");
        if (n == 0 || s[1 + n] != ')' || s[2 + n] != ' ')
                return s;
        (void)snprintf(l->component, sizeof(l->component), "%.*s", (int)MIN(n, (size_t)31), s + 1);
        return s + n + 3;
}

static bool parse_cxx(const char *line, RayLog *ret)
{
        if (line[0] != '[' || !is_time(line + 1))
                return false;
        const char *p = line + 1 + TIME_LEN;
        if (p[0] != ' ' || !p[1] || p[2] != ' ')
                return false;
        const char *end = strchr(p, ']');
        if (!end)
                return false;
        *ret = (RayLog){.shape = RAYLOG_CXX, .time = line + 1, .time_len = TIME_LEN};
        /* D I W E, and C for what Ray calls fatal */
        switch (p[1]) {
        case 'D':
                ret->level = LOG_DEBUG;
                break;
        case 'W':
                ret->level = LOG_WARNING;
                break;
        case 'E':
                ret->level = LOG_ERR;
                break;
        case 'C':
        case 'F':
                ret->level = LOG_CRIT;
                break;
        default:
                ret->level = LOG_INFO;
        }
        ret->text = take_component(end[1] == ' ' ? end + 2 : end + 1, ret);
        return true;
}

static const struct {
        const char *name;
        int level;
} python_levels[] = {
        {"DEBUG", LOG_DEBUG},     {"VINFO", LOG_INFO},   {"INFO", LOG_INFO},  {"SUCC", LOG_INFO},
        {"WARNING", LOG_WARNING}, {"WARN", LOG_WARNING}, {"ERROR", LOG_ERR},  {"ERR", LOG_ERR},
        {"CRITICAL", LOG_CRIT},   {"FATAL", LOG_CRIT},   {"PANIC", LOG_CRIT},
};

static bool parse_python(const char *line, RayLog *ret)
{
        if (!is_time(line) || line[TIME_LEN] != '\t')
                return false;
        const char *p = line + TIME_LEN + 1;
        size_t n = strcspn(p, " ");
        for (size_t i = 0; i < ELEMENTSOF(python_levels); i++)
                if (strlen(python_levels[i].name) == n &&
                    memcmp(p, python_levels[i].name, n) == 0) {
                        *ret = (RayLog){.shape = RAYLOG_PYTHON,
                                        .level = python_levels[i].level,
                                        .time = line,
                                        .time_len = TIME_LEN};
                        ret->text = take_component(p[n] ? p + n + 1 : p + n, ret);
                        return true;
                }
        return false;
}

void raylog_parse(const char *line, RayLog *ret)
{
        if (parse_cxx(line, ret) || parse_python(line, ret))
                return;
        *ret = (RayLog){.shape = RAYLOG_PLAIN, .level = LOG_INFO, .text = line};
}

bool raylog_continues(const char *line)
{
        RayLog l;

        raylog_parse(line, &l);
        return l.shape == RAYLOG_PLAIN;
}

/* --- names of files --------------------------------------------------------------------------- */

static bool is_hex(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!isxdigit((unsigned char)s[i]))
                        return false;
        return n > 0;
}

/* worker-<56 hex>-<8 hex>-<pid>, the pid and what is before it optional */
static int worker_file(const char *s, size_t n, RayLogFile *f)
{
        if (n < 56 || !is_hex(s, 56))
                return -EINVAL;
        (void)snprintf(f->worker_id, sizeof(f->worker_id), "%.56s", s);
        /* a worker that was started ahead of any job says ffffffff */
        if (n >= 65 && s[56] == '-' && is_hex(s + 57, 8) && strncmp(s + 57, "ffffffff", 8) != 0)
                (void)snprintf(f->job_id, sizeof(f->job_id), "%.8s", s + 57);
        f->prints = true;
        return 0;
}

static bool stem_is(const char *name, size_t n, const char *prefix)
{
        return n > strlen(prefix) && memcmp(name, prefix, strlen(prefix)) == 0;
}

static void set_id(char *to, size_t size, const char *from, size_t n)
{
        (void)snprintf(to, size, "%.*s", (int)MIN(n, size - 1), from);
}

int raylog_file(const char *name, RayLogFile *ret)
{
        static const char *const exts[] = {".log", ".out", ".err"};
        RayLogFile f = {};
        size_t n = strlen(name);
        bool known = false;

        for (size_t i = 0; i < ELEMENTSOF(exts) && !known; i++)
                known = n > 4 && streq(name + n - 4, exts[i]);
        if (!known)
                return -EINVAL;
        n -= 4;
        /* raylet.2.out is the third raylet of a session that a store brought back, or what was
         * rotated away: who follows the files sees renames */
        for (const char *dot = memchr(name, '.', n); dot; dot = NULL) {
                if (strspn(dot + 1, "0123456789.") < (size_t)(name + n - dot - 1))
                        return -EINVAL;
                n = (size_t)(dot - name);
        }
        if (n == 0)
                return -EINVAL;
        if (stem_is(name, n, "worker-")) {
                set_id(f.component, sizeof(f.component), "worker", 6);
                int r = worker_file(name + 7, n - 7, &f);
                if (r < 0)
                        return r;
        } else if (stem_is(name, n, "python-core-worker-")) {
                set_id(f.component, sizeof(f.component), "core-worker", 11);
                (void)worker_file(name + 19, n - 19, &f);
                f.prints = false;
        } else if (stem_is(name, n, "python-core-driver-")) {
                set_id(f.component, sizeof(f.component), "core-driver", 11);
                set_id(f.job_id, sizeof(f.job_id), name + 19, MIN(n - 19, (size_t)8));
        } else if (stem_is(name, n, "job-driver-")) {
                set_id(f.component, sizeof(f.component), "job-driver", 10);
                set_id(f.job_id, sizeof(f.job_id), name + 11, n - 11);
                f.prints = true;
        } else if (stem_is(name, n, "runtime_env_setup-")) {
                set_id(f.component, sizeof(f.component), "runtime_env_setup", 17);
                set_id(f.job_id, sizeof(f.job_id), name + 18, n - 18);
        } else
                set_id(f.component, sizeof(f.component), name, n);
        *ret = f;
        return 0;
}
