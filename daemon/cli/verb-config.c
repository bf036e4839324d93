#include <stdio.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "conf/schema.h"

static int load(Conf **ret)
{
        _cleanup_conf_errors_ ConfErrors e = {};

        int r = conf_load(NULL, NULL, ret, &e);
        for (size_t i = 0; i < e.n; i++) {
                _cleanup_free_ char *line = conf_error_format(&e.errors[i]);
                fprintf(stderr, "%s\n", strempty(line));
        }
        return r == 0 ? EXIT_OK : r == -EBADMSG ? EXIT_CONF : EXIT_INTERNAL;
}

static void print_keys(void)
{
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *k = &conf_keys[i];
                bool quoted =
                        k->type != CONF_PORT && k->type != CONF_TABLE && k->type != CONF_ORDER;
                printf("%s\n    %s\n    default: %s%s%s\n    allowed: %s\n    restart of Ray: %s\n",
                       k->path, k->doc, quoted ? "\"" : "",
                       k->type == CONF_TABLE ? "{ }" : k->value, quoted ? "\"" : "", k->allowed,
                       k->restart == 0                   ? "no"
                       : k->restart == 1U << ROLE_HEAD   ? "on the head"
                       : k->restart == 1U << ROLE_WORKER ? "on workers"
                                                         : "yes");
        }
}

static int run(const Cli *cli, const CliArgs *args)
{
        Conf *c _cleanup_(conf_freep) = NULL;

        if (cli_get(&verb_config, args, "keys")) {
                print_keys();
                return EXIT_OK;
        }
        int status = load(&c);
        if (status != EXIT_OK)
                return status;
        bool all = cli_get(&verb_config, args, "effective");
        for (size_t i = 0; i < c->n_values; i++) {
                const ConfValue *v = &c->values[i];
                if (all || !streq(v->origin, "default"))
                        printf("%s = %s;  // %s\n", v->key, v->value, v->origin);
        }
        return EXIT_OK;
}

const Verb verb_config = {
        .name = "config",
        .usage = "[--effective|--keys]",
        .summary = "Show the configuration, each value with where it comes from",
        .help = "Without option: what the files set.",
        .options = {{"effective", 0, NULL, "Every key, also those left at their default"},
                    {"keys", 0, NULL, "Every key there is: meaning, default, what is allowed"}},
        .run = run,
};
