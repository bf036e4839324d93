#include <stdio.h>

#include "cli/engine-env.h"

/* 'it'\''s' */
static void print_quoted(const char *s)
{
        putchar('\'');
        for (; *s; s++)
                if (*s == '\'')
                        fputs("'\\''", stdout);
                else
                        putchar(*s);
        putchar('\'');
}

static void print_export(const char *pair)
{
        static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "_./:[]-@%+,";
        const char *value = strchr(pair, '=') + 1;

        printf("export %.*s", (int)(value - pair), pair);
        if (*value && value[strspn(value, safe)] == 0 && !strpbrk(value, "[]"))
                fputs(value, stdout);
        else
                print_quoted(value);
        putchar('\n');
}

static int run(const Cli *cli, const CliArgs *args)
{
        _cleanup_engine_env_ EngineEnv e = {};

        int r = engine_env(cli, &e);
        if (r != 0)
                return r;
        if (!e.found)
                return cli_fail(EXIT_NOT_RUNNING, "%s", strempty(e.why));
        STRV_FOREACH (p, e.env)
                print_export(*p);
        return EXIT_OK;
}

const Verb verb_env = {
        .name = "env",
        .usage = "",
        .summary = "Print what a driver needs in its environment, for sh",
        .help = "Use it as: eval \"$(raycluster env)\". Then ray.init() in a program started here "
                "joins the\n"
                "cluster. For members of group ray; all others use raycluster ray job submit.",
        .run = run,
};
