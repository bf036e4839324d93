#include <stdio.h>

#include "cli/cli.h"
#include "conf/conf.h"

static void print(const ConfErrors *e)
{
        for (size_t i = 0; i < e->n; i++) {
                _cleanup_free_ char *line = conf_error_format(&e->errors[i]);
                fprintf(stderr, "%s\n", strempty(line));
        }
        if (e->n_more > 0)
                fprintf(stderr, "… and %zu more\n", e->n_more);
}

/* One named file for itself (no conf.d), or the configuration of this machine. */
static int check(const char *file)
{
        _cleanup_conf_errors_ ConfErrors e = {};
        Conf *c _cleanup_(conf_freep) = NULL;

        int r = conf_load(file, file ? "/nonexistent" : NULL, &c, &e);
        print(&e);
        if (r == -EBADMSG)
                return EXIT_CONF;
        if (r < 0) {
                errno = -r;
                return cli_fail(EXIT_INTERNAL, "%s: %m", file ? file : CONF_FILE);
        }
        return EXIT_OK;
}

static int run(const Cli *cli, const CliArgs *args)
{
        int status = args->n_rest == 0 ? check(NULL) : EXIT_OK;

        for (int i = 0; i < args->n_rest; i++) {
                int r = check(args->rest[i]);
                if (r != EXIT_OK)
                        status = r;
        }
        if (status == EXIT_OK)
                printf("The configuration is good.\n");
        return status;
}

const Verb verb_check = {
        .name = "check",
        .usage = "[FILE…]",
        .summary = "Check the configuration, offline",
        .help = "Without FILE: /etc/raycluster.conf and /etc/raycluster.conf.d. All mistakes are "
                "told in one\n"
                "run, as FILE:LINE: KEY: what is wrong; the exit status is then 78.",
        .n_max = -1,
        .run = run,
};
