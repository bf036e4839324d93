#include <errno.h>
#include <stdio.h>

#include "cli/client.h"
#include "conf/conf.h"
#include "conf/schema.h"

/* What the head told this machine, as its daemon has it: where it is kept, only the daemon may
 * look. NULL: nothing, or nobody to ask, which is said within the listing. */
static char *ask_daemon(void)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_view_ View v = {};
        Role role;

        int r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, CLIENT_TIMEOUT);
        if (r >= 0)
                r = client_view(bus, &v, &role);
        if (r > 0)
                return isempty(v.head_settings) ? NULL : TAKE_PTR(v.head_settings);
        errno = -r;
        printf(r == 0 ? "// neither ray-head nor ray-worker runs here: what a head has set is not "
                        "shown\n"
                      : "// the daemon cannot be asked (%m): what a head has set is not shown\n");
        return NULL;
}

static void print_mistakes(const ConfErrors *e)
{
        for (size_t i = 0; i < e->n; i++) {
                _cleanup_free_ char *line = conf_error_format(&e->errors[i]);
                fprintf(stderr, "%s\n", strempty(line));
        }
}

static int load(const char *file, Conf **ret)
{
        _cleanup_conf_errors_ ConfErrors e = {}, ignored = {};
        _cleanup_free_ char *room = file ? NULL : ask_daemon();

        int r = conf_load_member(file, file ? "/nonexistent" : NULL, room, strlen(strempty(room)),
                                 ret, &e, &ignored);
        print_mistakes(&e);
        print_mistakes(&ignored);
        if (r < 0 && r != -EBADMSG) {
                errno = -r;
                cli_fail(0, "%m");
        }
        return r == 0 ? EXIT_OK : r == -EBADMSG ? EXIT_CONF : EXIT_INTERNAL;
}

static const char *default_of(const Conf *empty, const char *key)
{
        for (size_t i = 0; i < empty->n_values; i++)
                if (streq(empty->values[i].key, key))
                        return empty->values[i].value;
        return "";
}

static int print_keys(void)
{
        static const char *const restart[] = {
                [0] = "no",
                [1U << ROLE_HEAD] = "on the head",
                [1U << ROLE_WORKER] = "on workers",
                [1U << ROLE_HEAD | 1U << ROLE_WORKER] = "yes",
        };
        _cleanup_conf_errors_ ConfErrors e = {};
        Conf *empty _cleanup_(conf_freep) = NULL;

        if (conf_load_text("built-in", "", 0, &empty, &e) < 0)
                return cli_fail(EXIT_INTERNAL, "out of memory");
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *k = &conf_keys[i];
                printf("%s\n    %s\n    default: %s\n    allowed: %s\n    said by: %s\n    restart "
                       "of "
                       "Ray: %s\n",
                       k->path, k->doc, default_of(empty, k->path), k->allowed,
                       k->room   ? "the head"
                       : k->each ? "each machine, or the head for it"
                                 : "each machine",
                       restart[k->restart]);
        }
        return EXIT_OK;
}

static void print_value(const ConfValue *v)
{
        printf("%s = %s;  // %s%s%s\n", v->key, v->value, v->origin, v->over ? ", over " : "",
               strempty(v->over));
}

static int run(const Cli *cli, const CliArgs *args)
{
        Conf *c _cleanup_(conf_freep) = NULL;

        if (cli_get(&verb_config, args, "keys"))
                return print_keys();
        int status = load(cli_get(&verb_config, args, "file"), &c);
        if (status != EXIT_OK)
                return status;
        bool all = cli_get(&verb_config, args, "effective");
        for (size_t i = 0; i < c->n_values; i++) {
                const ConfValue *v = &c->values[i];
                if (all || !streq(v->origin, "default"))
                        print_value(v);
        }
        return EXIT_OK;
}

const Verb verb_config = {
        .name = "config",
        .usage = "[--effective|--keys] [--file=FILE]",
        .summary = "Show the configuration, each value with where it comes from",
        .help = "Without option: what the files set, and on a worker what its head has set, which "
                "counts.",
        .options = {{"file", 'f', "FILE", "Of this file alone"},
                    {"effective", 0, NULL, "Every key, also those left at their default"},
                    {"keys", 0, NULL, "Every key there is: meaning, default, what is allowed"}},
        .run = run,
};
