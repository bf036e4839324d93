#include "supervisor/preflight.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/ready.h"
#include "engine/tls.h"
#include "supervisor/prune.h"

static int not_ready(char **ret_why, char *text)
{
        if (!text)
                return -ENOMEM;
        *ret_why = text;
        return -EAGAIN;
}

int preflight_temp_dir_length(const char *temp_dir, char **ret_why)
{
        size_t n = strlen(temp_dir);

        if (n <= TEMP_DIR_MAX)
                return 0;
        return not_ready(ret_why,
                         str_printf("engine.temp_dir %s has %zu characters: at most %d, because "
                                    "Ray's socket paths below it may have 107 in all; choose a "
                                    "shorter one, such as /var/lib/ray/tmp",
                                    temp_dir, n, TEMP_DIR_MAX));
}

static int check_venv(const EngineArgs *a, char **ret_why)
{
        static const char *const programs[] = {"bin/python", "bin/ray"};

        for (size_t i = 0; i < ELEMENTSOF(programs); i++) {
                _cleanup_free_ char *path = path_join(a->venv, programs[i]);
                if (!path)
                        return -ENOMEM;
                if (access(path, X_OK) >= 0)
                        continue;
                return not_ready(
                        ret_why,
                        str_printf("no Ray in %s: %s: %s; install raycluster-engine, or set "
                                   "engine.venv to an environment with Ray that user ray may read",
                                   a->venv, path, strerror(errno)));
        }
        return 0;
}

/* A folder of ours: made when it is missing, and writable. */
static int check_dir(const char *path, const char *what, char **ret_why)
{
        if (mkdir(path, 0770) < 0 && errno != EEXIST)
                return not_ready(ret_why,
                                 str_printf("cannot make %s %s: %s; make it, owned by user ray",
                                            what, path, strerror(errno)));
        if (access(path, R_OK | W_OK | X_OK) < 0)
                return not_ready(ret_why, str_printf("cannot write to %s %s: %s; give it to user "
                                                     "ray (chown ray:ray %s)",
                                                     what, path, strerror(errno), path));
        return 0;
}

static int check_token(const EngineArgs *a, char **ret_why)
{
        if (isempty(a->token_path) || access(a->token_path, R_OK) >= 0)
                return 0;
        return not_ready(ret_why,
                         str_printf("cannot read Ray's token %s: %s; it wants owner root, group "
                                    "ray, mode 0640",
                                    a->token_path, strerror(errno)));
}

/* The daemon has looked, but as another user. */
static int check_tls(const EngineArgs *a, char **ret_why)
{
        _cleanup_engine_tls_ EngineTls tls = {0};

        int r = engine_tls_of(a->tls_dir, &tls);
        if (r > 0)
                r = engine_tls_check(&tls, now_real(), ret_why);
        else if (r == 0)
                return 0;
        return r < 0 ? r : r == 0 ? -EAGAIN : 0;
}

/* engine/ready says 1, 0 and why, or an error. */
static int from_ready(int r)
{
        return r < 0 ? r : r == 0 ? -EAGAIN : 0;
}

/* Old sessions are the likeliest to fill it, and nobody but us removes them. */
static int check_disk(const char *temp_dir, char **ret_why)
{
        PruneResult pruned;

        int r = from_ready(ready_disk(temp_dir, ret_why));
        if (r != -EAGAIN || prune_run(temp_dir, NULL, now_real(), &pruned) < 0 ||
            pruned.sessions + pruned.files == 0)
                return r;
        free(TAKE_PTR(*ret_why));
        return from_ready(ready_disk(temp_dir, ret_why));
}

int preflight(const EngineArgs *a, const EnginePaths *paths, char **ret_why)
{
        int r = check_venv(a, ret_why);

        if (r >= 0)
                r = preflight_temp_dir_length(a->engine.temp_dir, ret_why);
        if (r >= 0)
                r = check_dir(a->engine.temp_dir, "engine.temp_dir", ret_why);
        if (r >= 0)
                r = check_dir(paths->home, "the home directory", ret_why);
        if (r >= 0 && a->role == ROLE_HEAD && streq(a->engine.gcs_store, "rocksdb"))
                r = check_dir(paths->gcs_dir, "the folder of the GCS's tables", ret_why);
        if (r >= 0)
                r = check_token(a, ret_why);
        if (r >= 0)
                r = check_tls(a, ret_why);
        if (r >= 0)
                r = check_disk(a->engine.temp_dir, ret_why);
        if (r >= 0)
                r = from_ready(ready_ports(&a->ports, a->role, NULL, ret_why));
        return r;
}
