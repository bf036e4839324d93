/* Tokens of the head: made, listed, revoked. The text of one is on standard output alone, so that a
 * script can take it. */
#include <stdio.h>
#include <time.h>

#include "base/parse.h"
#include "base/strv.h"
#include "cli/client.h"
#include "cli/table.h"
#include "wire/json.h"

/* "2026-11-29 10:00:00" in the reader's time zone. */
#define WHEN_MAX 32
static char *when(char buf[WHEN_MAX], uint64_t realtime)
{
        time_t t = (time_t)(realtime / USEC_PER_SEC);
        struct tm tm;

        buf[0] = 0;
        if (realtime > 0 && localtime_r(&t, &tm))
                (void)strftime(buf, WHEN_MAX, "%Y-%m-%d %H:%M:%S", &tm);
        return buf;
}

static int create_token(const Cli *cli, const CliArgs *args)
{
        const char *uses = cli_get(&verb_token, args, "uses");
        const char *ttl = cli_get(&verb_token, args, "ttl");
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *id, *text;
        char until[WHEN_MAX];
        unsigned n = 0;
        uint64_t expires;
        usec_t life = 0;

        if (uses && (parse_unsigned(uses, &n) < 0 || n == 0))
                return cli_fail(EXIT_USAGE, "--uses=%s is not a number of machines", uses);
        if (ttl && (parse_duration(ttl, &life) < 0 || life == 0))
                return cli_fail(EXIT_USAGE, "--ttl=%s is not a time such as 1h or \"2d\"", ttl);
        if (client_open(cli, &bus) < 0)
                return EXIT_INTERNAL;
        int r = client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "CreateToken", &m, "utsss", n,
                            life, strempty(cli_get(&verb_token, args, "name")),
                            strempty(cli_get(&verb_token, args, "group")),
                            strempty(cli_get(&verb_token, args, "subnet")));
        if (r != EXIT_OK)
                return r;
        if (sd_bus_message_read(m, "sst", &id, &text, &expires) < 0)
                return cli_fail(EXIT_INTERNAL, "the daemon's answer is not to be understood");
        printf("%s\n", text);
        fprintf(stderr,
                "Good for %u machine%s until %s. On each: raycluster join, with this line.\n",
                n ? n : 1, n > 1 ? "s" : "", when(until, expires));
        return EXIT_OK;
}

typedef struct TokenLine {
        const char *id, *state, *names, *group, *subnet;
        uint64_t created, expires;
        uint32_t uses, left;
} TokenLine;

static int read_line(sd_bus_message *m, TokenLine *t)
{
        return sd_bus_message_read(m, "(ssttuusss)", &t->id, &t->state, &t->created, &t->expires,
                                   &t->uses, &t->left, &t->names, &t->group, &t->subnet);
}

static int add_row(Table *table, const TokenLine *t)
{
        char until[WHEN_MAX];
        _cleanup_free_ char *left = str_printf("%u of %u", t->left, t->uses);
        const char *cells[] = {t->id,    t->state, left,     when(until, t->expires),
                               t->names, t->group, t->subnet};

        return left ? table_add(table, cells) : -ENOMEM;
}

static int add_json(Json *list, const TokenLine *t)
{
        _cleanup_json_ Json *o = json_object_new();

        if (!o || json_set_str(o, "id", t->id) < 0 || json_set_str(o, "state", t->state) < 0 ||
            json_set_int(o, "created_usec", (int64_t)t->created) < 0 ||
            json_set_int(o, "expires_usec", (int64_t)t->expires) < 0 ||
            json_set_int(o, "uses", t->uses) < 0 || json_set_int(o, "left", t->left) < 0 ||
            json_set_str(o, "names", t->names) < 0 || json_set_str(o, "group", t->group) < 0 ||
            json_set_str(o, "subnet", t->subnet) < 0)
                return -ENOMEM;
        return json_push(list, TAKE_PTR(o));
}

static int list_tokens(const Cli *cli, const CliArgs *args)
{
        static const char *const titles[] = {"TOKEN", "STATE", "LEFT",   "UNTIL",
                                             "NAMES", "GROUP", "SUBNET", NULL};
        bool json = cli_get(&verb_token, args, "json");
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_json_ Json *all = json_array_new();
        Table *table = table_new(titles);
        TokenLine t;

        if (client_open(cli, &bus) < 0) {
                table_free(table);
                return EXIT_INTERNAL;
        }
        int status = client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "ListTokens", &m, NULL);
        int r = status == EXIT_OK && table && all
                        ? sd_bus_message_enter_container(m, 'a', "(ssttuusss)")
                        : -ENOMEM;
        while (status == EXIT_OK && r >= 0 && (r = read_line(m, &t)) > 0)
                r = json ? add_json(all, &t) : add_row(table, &t);
        if (status == EXIT_OK && r >= 0 && json) {
                _cleanup_free_ char *text = json_format(all, true);
                r = text ? puts(text) : -ENOMEM;
        } else if (status == EXIT_OK && r >= 0)
                r = table_print(table);
        table_free(table);
        return status != EXIT_OK ? status
               : r < 0           ? cli_fail(EXIT_INTERNAL, "cannot list: %s", strerror(-r))
                                 : EXIT_OK;
}

static int revoke_token(const Cli *cli, const CliArgs *args)
{
        _cleanup_bus_ sd_bus *bus = NULL;

        if (args->n_rest != 2)
                return cli_fail(EXIT_USAGE, "usage: raycluster token revoke ID");
        if (client_open(cli, &bus) < 0)
                return EXIT_INTERNAL;
        return client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "RevokeToken", NULL, "s",
                           args->rest[1]);
}

static int run(const Cli *cli, const CliArgs *args)
{
        static const char *const names[] = {"create", "list", "revoke", NULL};
        const char *what = args->rest[0];

        if (streq(what, "create") && args->n_rest == 1)
                return create_token(cli, args);
        if (streq(what, "list") && args->n_rest == 1)
                return list_tokens(cli, args);
        if (streq(what, "revoke"))
                return revoke_token(cli, args);
        const char *near = str_nearest(what, names);
        return cli_fail(EXIT_USAGE, "token %s%s%s%s; raycluster token --help", what,
                        near ? ": did you mean " : ": what is to be done with tokens?",
                        strempty(near), near ? "?" : "");
}

const Verb verb_token = {
        .name = "token",
        .usage = "create | list | revoke ID",
        .summary = "On the head: tokens with which machines join (root, raycluster-admin)",
        .help = "create prints a new token on standard output. It proves the head to the machine, "
                "and the\n"
                "machine to the head. list shows what they are good for, never the tokens "
                "themselves.",
        .options = {{"uses", 'n', "N", "create: for how many machines; default 1"},
                    {"ttl", 't', "T", "create: for how long; default 1h, at most 30d"},
                    {"name", 0, "PATTERN", "create: only for host names such as \"compute*\""},
                    {"group", 'g', "GROUP", "create: its machines belong to this group"},
                    {"subnet", 's', "SUBNET", "create: only from there, such as 10.0.0.0/24"},
                    {"json", 'j', NULL, "list: for programs"}},
        .n_min = 1,
        .n_max = 2,
        .remote = true,
        .run = run,
};
