/* Machines that are members, as the head knows them. */
#include <stdio.h>

#include "base/parse.h"
#include "base/strv.h"
#include "cli/client.h"
#include "cli/table.h"
#include "wire/json.h"

#define MEMBER_TYPE "(ssssstttuutsss)"

typedef struct MemberLine {
        const char *name, *node, *state, *group, *address, *ray, *python, *words;
        uint64_t enrolled, not_after, seen, memory;
        uint32_t cpus, gpus;
} MemberLine;

static int read_line(sd_bus_message *m, MemberLine *l)
{
        return sd_bus_message_read(m, MEMBER_TYPE, &l->name, &l->node, &l->state, &l->group,
                                   &l->address, &l->enrolled, &l->not_after, &l->seen, &l->cpus,
                                   &l->gpus, &l->memory, &l->ray, &l->python, &l->words);
}

static int add_row(Table *table, const MemberLine *l)
{
        _cleanup_free_ char *cpus = l->cpus ? str_printf("%u", l->cpus) : strdup("");
        _cleanup_free_ char *gpus = l->gpus ? str_printf("%u", l->gpus) : strdup("");
        char memory[SIZE_STR_MAX] = "";

        if (l->memory > 0)
                format_size(memory, l->memory);
        const char *cells[] = {l->name, l->state, l->group, l->address, cpus,
                               gpus,    memory,   l->ray,   l->words};
        return cpus && gpus ? table_add(table, cells) : -ENOMEM;
}

static int add_json(Json *list, const MemberLine *l)
{
        _cleanup_json_ Json *o = json_object_new();

        if (!o || json_set_str(o, "name", l->name) < 0 || json_set_str(o, "node", l->node) < 0 ||
            json_set_str(o, "state", l->state) < 0 || json_set_str(o, "group", l->group) < 0 ||
            json_set_str(o, "address", l->address) < 0 ||
            json_set_int(o, "enrolled_usec", (int64_t)l->enrolled) < 0 ||
            json_set_int(o, "not_after_usec", (int64_t)l->not_after) < 0 ||
            json_set_int(o, "seen_usec", (int64_t)l->seen) < 0 ||
            json_set_int(o, "cpus", l->cpus) < 0 || json_set_int(o, "gpus", l->gpus) < 0 ||
            json_set_int(o, "memory_bytes", (int64_t)l->memory) < 0 ||
            json_set_str(o, "ray", l->ray) < 0 || json_set_str(o, "python", l->python) < 0 ||
            json_set_str(o, "words", l->words) < 0)
                return -ENOMEM;
        return json_push(list, TAKE_PTR(o));
}

static int print_members(sd_bus_message *m, bool json)
{
        static const char *const titles[] = {"NAME", "STATE",  "GROUP", "ADDRESS", "CPUS",
                                             "GPUS", "MEMORY", "RAY",   "KEY",     NULL};
        _cleanup_json_ Json *all = json_array_new();
        Table *table = table_new(titles);
        MemberLine l;

        int r = table && all ? sd_bus_message_enter_container(m, 'a', MEMBER_TYPE) : -ENOMEM;
        while (r >= 0 && (r = read_line(m, &l)) > 0)
                r = json ? add_json(all, &l) : add_row(table, &l);
        if (r >= 0 && json) {
                _cleanup_free_ char *text = json_format(all, true);
                r = text ? puts(text) : -ENOMEM;
        } else if (r >= 0)
                r = table_print(table);
        table_free(table);
        return r < 0 ? cli_fail(EXIT_INTERNAL, "cannot list: %s", strerror(-r)) : EXIT_OK;
}

static int list(const Cli *cli, sd_bus *bus, const CliArgs *args)
{
        _cleanup_message_ sd_bus_message *m = NULL;

        int r = client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "GetMembers", &m, NULL);
        return r != EXIT_OK ? r : print_members(m, cli_get(&verb_node, args, "json"));
}

static const struct {
        const char *name, *method, *done;
} acts[] = {
        {"revoke", "RevokeMember",
         "Revoked. Ray's token, which it knows, stays as it is: raycluster ray-token --rotate "
         "makes "
         "another.\n"},
        {"forget", "ForgetMember", ""},
};

static int act(const Cli *cli, sd_bus *bus, size_t i, const CliArgs *args)
{
        if (args->n_rest != 2)
                return cli_fail(EXIT_USAGE, "usage: raycluster node %s NAME", acts[i].name);
        int r = client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, acts[i].method, NULL, "s",
                            args->rest[1]);
        if (r == EXIT_OK)
                fputs(acts[i].done, stdout);
        return r;
}

static int run(const Cli *cli, const CliArgs *args)
{
        static const char *const names[] = {"list", "revoke", "forget", NULL};
        const char *what = args->rest[0];
        _cleanup_bus_ sd_bus *bus = NULL;

        if (client_open(cli, &bus) < 0)
                return EXIT_INTERNAL;
        if (streq(what, "list") && args->n_rest == 1)
                return list(cli, bus, args);
        for (size_t i = 0; i < ELEMENTSOF(acts); i++)
                if (streq(what, acts[i].name))
                        return act(cli, bus, i, args);
        const char *near = str_nearest(what, names);
        return cli_fail(EXIT_USAGE, "node %s%s%s%s; raycluster node --help", what,
                        near ? ": did you mean " : ": what is to be done with members?",
                        strempty(near), near ? "?" : "");
}

const Verb verb_node = {
        .name = "node",
        .usage = "list | revoke NAME | forget NAME",
        .summary = "On the head: the machines that are members",
        .help = "revoke ends a member: its key is refused from now on, and its connection is cut. "
                "forget takes\n"
                "a machine that is gone off the list, and its name is free again. Changes are for "
                "root and\n"
                "group raycluster-admin.",
        .options = {{"json", 'j', NULL, "list: for programs"}},
        .n_min = 1,
        .n_max = 2,
        .remote = true,
        .run = run,
};
