#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/engine-env.h"
#include "engine/args.h"

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

/* Commands that speak to the dashboard. */
static bool uses_dashboard(const char *command)
{
        static const char *const list[] = {"job", "list", "get", "summary", "logs"};

        for (size_t i = 0; command && i < ELEMENTSOF(list); i++)
                if (streq(list[i], command))
                        return true;
        return false;
}

/* Ray would say "connection refused" at the end of a page of Python. */
static bool answers(const Addr *a)
{
        _cleanup_close_ int fd = -EBADF;
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(a, &sa);
        const struct timeval limit = {.tv_sec = 3};

        fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return true; /* not known; Ray will see */
        return connect(fd, &sa.sa, len) == 0;
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
        char buf[ADDR_PORT_MAX];
        if (uses_dashboard(args->rest[0]) && addr_is_set(&e.dashboard) && !answers(&e.dashboard))
                return cli_fail(
                        EXIT_INTERNAL,
                        "the head's dashboard does not answer on %s: while authentication is "
                        "off it listens on the head alone; run this on the head, or put one "
                        "token into " ENGINE_TOKEN_FILE " of every machine",
                        addr_format_port(buf, &e.dashboard));
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
