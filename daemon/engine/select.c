#include "engine/select.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

void engine_done(Engine *e)
{
        free(e->venv);
        *e = (Engine){0};
}

static bool has_ray(const char *venv)
{
        _cleanup_free_ char *ray = path_join(venv, "bin/ray");
        return ray && access(ray, F_OK) == 0;
}

static int by_version(const void *a, const void *b)
{
        return strverscmp(*(char *const *)b, *(char *const *)a);
}

static int list_rays(const char *dir, char ***ret)
{
        _cleanup_strv_free_ char **l = NULL;

        DIR *d = opendir(dir ? dir : ENGINE_DIR);
        if (!d)
                return errno == ENOENT ? (*ret = NULL, 0) : -errno;
        int r = 0;
        struct dirent *e;
        for (size_t n = 0; r >= 0 && n < ENGINES_MAX && (e = readdir(d));) {
                _cleanup_free_ char *venv = path_join(dir ? dir : ENGINE_DIR, e->d_name);
                if (!venv)
                        r = -ENOMEM;
                else if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && has_ray(venv)) {
                        r = strv_extend(&l, e->d_name);
                        n++;
                }
        }
        closedir(d);
        if (r < 0)
                return r;
        if (l)
                qsort(l, strv_length(l), sizeof(char *), by_version);
        *ret = TAKE_PTR(l);
        return 0;
}

/* "3.11" of lib/python3.11, which every virtual environment has; "" without one. */
static void find_python(const char *venv, char ret[static 32])
{
        _cleanup_free_ char *lib = path_join(venv, "lib");
        DIR *d = lib ? opendir(lib) : NULL;
        struct dirent *e;

        *ret = '\0';
        while (d && (e = readdir(d)))
                if (startswith(e->d_name, "python3."))
                        str_copy(ret, 32, startswith(e->d_name, "python"));
        if (d)
                closedir(d);
}

int engine_list(const char *dir, Versions **ret, size_t *ret_n)
{
        _cleanup_strv_free_ char **rays = NULL;

        *ret = NULL;
        *ret_n = 0;
        int r = list_rays(dir, &rays);
        if (r < 0 || !rays)
                return r;
        size_t n = strv_length(rays);
        Versions *l = new0(Versions, n);
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *venv = path_join(dir ? dir : ENGINE_DIR, rays[i]);
                str_copy(l[i].ray, sizeof(l[i].ray), rays[i]);
                if (venv)
                        find_python(venv, l[i].python);
        }
        *ret = l;
        *ret_n = n;
        return 0;
}

/* "2.60.0" is in package raycluster-engine-2.60 */
static char *package_of(const char *version)
{
        const char *dot = strchr(version, '.');
        dot = dot ? strchr(dot + 1, '.') : NULL;
        return str_printf("raycluster-engine-%.*s",
                          (int)(dot ? (size_t)(dot - version) : strlen(version)), version);
}

static int say_missing(char **installed, const char *want, const char *why, char **ret_why)
{
        _cleanup_free_ char *package = package_of(want), *have = strv_join(installed, ", ");

        if (!package || !have)
                return -ENOMEM;
        *ret_why = str_printf("%s Ray %s, and this machine has %s%s: apt install %s", why, want,
                              installed ? "Ray " : "no engine", installed ? have : "", package);
        return *ret_why ? 0 : -ENOMEM;
}

static int select_venv(const char *venv, Engine *ret, char **ret_why)
{
        /* a site's environment may lie where this daemon may not look (/home): only what is surely
         * wrong is said here */
        if (access(venv, F_OK) < 0 && errno == ENOENT) {
                *ret_why = str_printf(
                        "engine.venv: there is no %s: make the environment, or correct the path",
                        venv);
                return *ret_why ? 0 : -ENOMEM;
        }
        if (access(venv, X_OK) == 0 && !has_ray(venv)) {
                *ret_why = str_printf("engine.venv: %s has no bin/ray: run %s/bin/pip install "
                                      "'ray[default]' numpy",
                                      venv, venv);
                return *ret_why ? 0 : -ENOMEM;
        }
        *ret = (Engine){.venv = strdup(venv)};
        return ret->venv ? 1 : -ENOMEM;
}

int engine_select(const EngineSettings *settings, const char *dir, const char *head_ray,
                  Engine *ret, char **ret_why)
{
        _cleanup_strv_free_ char **installed = NULL;

        if (!isempty(settings->venv))
                return select_venv(settings->venv, ret, ret_why);
        if (!dir)
                dir = ENGINE_DIR;
        int r = list_rays(dir, &installed);
        if (r < 0)
                return r;

        bool fixed = !streq(settings->version, "auto");
        const char *want = fixed                ? settings->version
                           : !isempty(head_ray) ? head_ray
                           : installed          ? installed[0]
                                                : NULL;
        if (!want) {
                *ret_why = strdup("no Ray engine is installed: apt install raycluster-engine (or "
                                  "set engine.venv)");
                return *ret_why ? 0 : -ENOMEM;
        }
        if (fixed && !isempty(head_ray) && !streq(want, head_ray)) {
                *ret_why = str_printf("the head runs Ray %s, and engine.version says %s: set it to "
                                      "\"auto\", or give the head the "
                                      "same version",
                                      head_ray, want);
                return *ret_why ? 0 : -ENOMEM;
        }
        if (!strv_contains(installed, want))
                return say_missing(installed, want,
                                   fixed ? "engine.version asks for" : "the head runs", ret_why);

        Engine e = {.venv = path_join(dir, want)};
        if (!e.venv)
                return -ENOMEM;
        (void)snprintf(e.ray, sizeof(e.ray), "%s", want);
        *ret = e;
        return 1;
}
