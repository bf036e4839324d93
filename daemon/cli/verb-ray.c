#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/engine-env.h"

static int exec_ray(const EngineEnv *e, const CliArgs *args)
{
        _cleanup_free_ char *ray = path_join(e->venv, "bin/ray");
        _cleanup_free_ char **argv = calloc((size_t)args->n_rest + 2, sizeof(char *));

        if (!ray || !argv)
                return cli_fail(EXIT_INTERNAL, "out of memory");
        argv[0] = ray;
        for (int i = 0; i < args->n_rest; i++)
                argv[i + 1] = args->rest[i];
        STRV_FOREACH (p, e->env) {
                char *pair = strdup(*p); /* belongs to the environment, until exec */
                if (!pair || putenv(pair) != 0)
                        return cli_fail(EXIT_INTERNAL, "out of memory");
        }
        execv(ray, argv);
        return cli_fail(EXIT_INTERNAL, "cannot run %s: %m", ray);
}

/* These start or stop Ray behind the daemons' back; `ray stop` ends every Ray of the machine,
 * whoever runs it. */
static const char *refused(const char *command)
{
        if (streq(strempty(command), "start"))
                return "Ray is started by its unit: systemctl start ray-head or ray-worker";
        if (streq(strempty(command), "stop"))
                return "ray stop kills every Ray process of this machine, also other people's; use "
                       "systemctl stop ray-head or ray-worker";
        return NULL;
}

static int run(const Cli *cli, const CliArgs *args)
{
        _cleanup_engine_env_ EngineEnv e = {};
        const char *no = refused(args->rest[0]);

        if (no)
                return cli_fail(EXIT_USAGE, "%s", no);
        int r = engine_env(cli, &e);
        if (r != 0)
                return r;
        if (!e.found)
                cli_fail(0, "%s", strempty(e.why));
        return exec_ray(&e, args);
}

const Verb verb_ray = {
        .name = "ray",
        .usage = "COMMAND [ARGUMENT…]",
        .summary = "Run Ray's own command line with address and token set",
        .help = "For example: raycluster ray job submit --working-dir . -- python names.py\n"
                "Everything behind the name goes to the ray command of the engine that runs here.",
        .n_max = -1,
        .raw = true,
        .run = run,
};
