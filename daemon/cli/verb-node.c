/* Machines that are members, as the head knows them. */
#include <stdio.h>

#include "base/parse.h"
#include "base/strv.h"
#include "cli/client.h"
#include "cli/node-orders.h"
#include "cli/table.h"
#include "wire/json.h"

typedef struct MemberLine {
        const char *name, *node, *state, *group, *address, *ray, *python, *words;
        uint64_t enrolled, not_after, seen, memory;
        uint32_t cpus, gpus;
} MemberLine;

static int read_line(sd_bus_message *m, MemberLine *l)
{
        return sd_bus_message_read(m, NODE_MEMBER_TYPE, &l->name, &l->node, &l->state, &l->group,
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

        int r = table && all ? sd_bus_message_enter_container(m, 'a', NODE_MEMBER_TYPE) : -ENOMEM;
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

static int list_members(const Cli *cli, sd_bus *bus, const CliArgs *args)
{
        _cleanup_message_ sd_bus_message *m = NULL;

        int r = client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "GetMembers", &m, NULL);
        return r != EXIT_OK ? r : print_members(m, cli_get(&verb_node, args, "json"));
}

/* --- those that wait ----------------------------------------------------------------------------
 */

#define PENDING_TYPE "(ssssstt)"

typedef struct PendingLine {
        const char *name, *node, *address, *takes, *words;
        uint64_t first, last;
} PendingLine;

static int read_pending(sd_bus_message *m, PendingLine *p)
{
        return sd_bus_message_read(m, PENDING_TYPE, &p->name, &p->node, &p->address, &p->takes,
                                   &p->words, &p->first, &p->last);
}

static int add_pending_json(Json *list, const PendingLine *p)
{
        _cleanup_json_ Json *o = json_object_new();

        if (!o || json_set_str(o, "name", p->name) < 0 || json_set_str(o, "node", p->node) < 0 ||
            json_set_str(o, "address", p->address) < 0 || json_set_str(o, "takes", p->takes) < 0 ||
            json_set_str(o, "words", p->words) < 0 ||
            json_set_int(o, "first_usec", (int64_t)p->first) < 0 ||
            json_set_int(o, "last_usec", (int64_t)p->last) < 0)
                return -ENOMEM;
        return json_push(list, TAKE_PTR(o));
}

static int print_pending(sd_bus_message *m, bool json)
{
        static const char *const titles[] = {"NAME", "ADDRESS", "IN PLACE OF", "KEY", NULL};
        _cleanup_json_ Json *all = json_array_new();
        Table *table = table_new(titles);
        const char *head = "";
        PendingLine p;

        int r = table && all ? sd_bus_message_read(m, "s", &head) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', PENDING_TYPE);
        while (r >= 0 && (r = read_pending(m, &p)) > 0)
                r = json ? add_pending_json(all, &p)
                         : table_add(table, (const char *[]){p.name, p.address, p.takes, p.words});
        if (r >= 0 && json) {
                _cleanup_free_ char *text = json_format(all, true);
                r = text ? puts(text) : -ENOMEM;
        } else if (r >= 0) {
                printf("This head's key: %s\n\n", head);
                r = table_print(table);
        }
        table_free(table);
        return r < 0 ? cli_fail(EXIT_INTERNAL, "cannot list: %s", strerror(-r)) : EXIT_OK;
}

static int list_pending(const Cli *cli, sd_bus *bus, const CliArgs *args)
{
        _cleanup_message_ sd_bus_message *m = NULL;

        int r = client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "GetPending", &m, NULL);
        return r != EXIT_OK ? r : print_pending(m, cli_get(&verb_node, args, "json"));
}

static int list(const Cli *cli, sd_bus *bus, const CliArgs *args)
{
        return cli_get(&verb_node, args, "pending") ? list_pending(cli, bus, args)
                                                    : list_members(cli, bus, args);
}

static int auto_approve(const Cli *cli, sd_bus *bus, const CliArgs *args)
{
        const char *subnet = cli_get(&verb_node, args, "subnet");
        const char *time = cli_get(&verb_node, args, "for");
        usec_t t;

        if (!subnet || !time)
                return cli_fail(EXIT_USAGE, "usage: raycluster node auto-approve --subnet=SUBNET "
                                            "--for=T");
        if (parse_duration(time, &t) < 0)
                return cli_fail(EXIT_USAGE, "--for=%s is not a time such as 30min", time);
        return client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "AutoApprove", NULL, "st", subnet,
                           (uint64_t)t);
}

/* --- what changes something ---------------------------------------------------------------------
 */

static const struct {
        const char *name, *method, *done;
} acts[] = {
        {"approve", "Approve",
         "Approved. It is let in when it asks again, within a quarter of a minute.\n"},
        {"deny", "Deny", ""},
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
        static const char *const names[] = {"list",   "approve",        "deny",  "auto-approve",
                                            "revoke", "forget",         "start", "stop",
                                            "drain",  "restart-engine", "probe", NULL};
        const char *what = args->rest[0];
        _cleanup_bus_ sd_bus *bus = NULL;

        if (client_open(cli, &bus) < 0)
                return EXIT_INTERNAL;
        if (streq(what, "list") && args->n_rest == 1)
                return list(cli, bus, args);
        if (streq(what, "auto-approve") && args->n_rest == 1)
                return auto_approve(cli, bus, args);
        for (size_t i = 0; i < ELEMENTSOF(acts); i++)
                if (streq(what, acts[i].name))
                        return act(cli, bus, i, args);
        if (node_orders_has(what))
                return node_orders_run(cli, bus, what, args->rest + 1,
                                       cli_get(&verb_node, args, "all"));
        const char *near = str_nearest(what, names);
        return cli_fail(EXIT_USAGE, "node %s%s%s%s; raycluster node --help", what,
                        near ? ": did you mean " : ": what is to be done with members?",
                        strempty(near), near ? "?" : "");
}

const Verb verb_node = {
        .name = "node",
        .usage = "list | approve NAME | deny NAME | auto-approve | revoke NAME | forget NAME |\n"
                 "           {start | stop | drain | restart-engine | probe} {NAME… | --all}",
        .summary = "On the head: the machines that are members",
        .help = "approve lets a machine in that asks without a token, or for the name of another "
                "one: compare\n"
                "both keys first. auto-approve lets in who asks from a subnet, for a while. revoke "
                "ends a\n"
                "member: its key is refused from now on, and its connection is cut. forget takes a "
                "machine that\n"
                "is gone off the list, and its name is free again. Changes are for root and group\n"
                "raycluster-admin.\n\n"
                "stop drains Ray on these machines and keeps it off until start, also over a "
                "restart of the\n"
                "machine; drain does the same. probe has them examine their way to this head. One "
                "after the\n"
                "other; the exit status is 1 if one of them failed.",
        .options = {{"pending", 'p', NULL, "list: the machines that wait to be let in"},
                    {"subnet", 's', "SUBNET", "auto-approve: such as 10.0.0.0/24"},
                    {"for", 'f', "T", "auto-approve: such as 30min; 0s ends it"},
                    {"json", 'j', NULL, "list: for programs"},
                    {"all", 'a', NULL, "orders: all members but revoked ones"}},
        .n_min = 1,
        .n_max = -1,
        .remote = true,
        .run = run,
};
