#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

static const Verb *const verbs[] = {
        &verb_status,         &verb_wait,   &verb_doctor, &verb_check,
        &verb_config,         &verb_token,  &verb_join,   &verb_node,
        &verb_leave,          &verb_env,    &verb_ray,    &verb_ray_token,
        &verb_restart_engine, &verb_reload, &verb_backup, &verb_restore,
};

int cli_fail(int status, const char *fmt, ...)
{
        va_list ap;

        fputs("raycluster: ", stderr);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        return status;
}

const char *cli_get(const Verb *v, const CliArgs *args, const char *name)
{
        for (size_t i = 0; i < CLI_OPTIONS_MAX && v->options[i].name; i++)
                if (streq(v->options[i].name, name))
                        return args->given[i];
        assert(!"an option that the verb does not have");
        return NULL;
}

static const Verb *find(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(verbs[i]->name, name))
                        return verbs[i];
        return NULL;
}

static void print_option(char letter, const char *name, const char *value, const char *text)
{
        char left[64];

        snprintf(left, sizeof(left), "%c%c%s--%s%s%s", letter ? '-' : ' ', letter ? letter : ' ',
                 letter ? ", " : "  ", name, value ? "=" : "", value ? value : "");
        printf("  %-24s %s\n", left, text);
}

static int help(void)
{
        printf("Usage: raycluster [OPTION…] VERB [ARGUMENT…]\n\n"
               "Ray clusters on your own machines: see, wait, check, run.\n\nVerbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-16s %s\n", verbs[i]->name, verbs[i]->summary);
        printf("  %-16s %s\n\nOptions:\n", "help", "This text, or that of a verb");
        print_option('H', "host", "[USER@]HOST", "Ask another machine, by ssh");
        print_option(0, "no-pager", NULL, "Do not pipe long output into a pager");
        print_option('h', "help", NULL, "Help, also behind every verb");
        print_option(0, "version", NULL, "The version");
        printf("\nSee raycluster(1), raycluster.conf(5), raycluster(7).\n");
        return EXIT_OK;
}

static int help_verb(const Verb *v)
{
        printf("Usage: raycluster %s%s%s\n\n%s\n", v->name, *v->usage ? " " : "", v->usage,
               v->summary);
        if (v->help)
                printf("\n%s\n", v->help);
        if (!v->raw) {
                printf("\nOptions:\n");
                for (size_t i = 0; i < CLI_OPTIONS_MAX && v->options[i].name; i++)
                        print_option(v->options[i].letter, v->options[i].name, v->options[i].value,
                                     v->options[i].text);
                if (v->remote)
                        print_option('H', "host", "[USER@]HOST", "Ask another machine, by ssh");
                print_option('h', "help", NULL, "This text");
        }
        return EXIT_OK;
}

/* --- parsing ------------------------------------------------------------------------------------
 */

static const CliOption common_options[] = {
        {"host", 'H', "[USER@]HOST", ""},
        {"no-pager", 0, NULL, ""},
        {"help", 'h', NULL, ""},
        {"version", 0, NULL, ""},
};

typedef struct Parser {
        Cli cli;
        CliArgs args;
        const Verb *verb; /* NULL before it was seen */
        bool help, version;
        int argc, i; /* i: the next argument */
        char **argv;
} Parser;

static const CliOption *match(const CliOption *o, size_t n, const char *name, size_t len,
                              char letter)
{
        for (size_t i = 0; i < n && o[i].name; i++)
                if (letter ? o[i].letter == letter
                           : strlen(o[i].name) == len && strncmp(o[i].name, name, len) == 0)
                        return &o[i];
        return NULL;
}

static int unknown_option(const Parser *p, const char *arg)
{
        const char *names[CLI_OPTIONS_MAX + ELEMENTSOF(common_options) + 1];
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(common_options); i++)
                names[n++] = common_options[i].name;
        for (size_t i = 0; p->verb && i < CLI_OPTIONS_MAX && p->verb->options[i].name; i++)
                names[n++] = p->verb->options[i].name;
        names[n] = NULL;
        _cleanup_free_ char *bare = strndup(arg, strcspn(arg, "="));
        const char *near = bare && startswith(bare, "--") ? str_nearest(bare + 2, names) : NULL;
        return cli_fail(EXIT_USAGE, "unknown option %s%s%s; see raycluster %s%s--help", arg,
                        near ? "; did you mean --" : "", near ? near : "",
                        p->verb ? p->verb->name : "", p->verb ? " " : "");
}

static void take_common(Parser *p, const CliOption *o, const char *value)
{
        if (streq(o->name, "host"))
                p->cli.host = value;
        else if (streq(o->name, "no-pager"))
                p->cli.no_pager = true;
        else if (streq(o->name, "help"))
                p->help = true;
        else
                p->version = true;
}

/* One argument that begins with "-". Returns -1 to go on, or an exit status. */
static int parse_option(Parser *p)
{
        char *arg = p->argv[p->i++];
        bool is_long = arg[1] == '-';
        const char *name = arg + (is_long ? 2 : 1);
        const char *value = is_long ? strchr(name, '=') : name[1] ? name + 1 : NULL;
        size_t len = value && is_long ? (size_t)(value - name) : strlen(name);
        const CliOption *o = NULL;

        if (p->verb)
                o = match(p->verb->options, CLI_OPTIONS_MAX, name, len, is_long ? 0 : *name);
        bool common = !o;
        if (!o)
                o = match(common_options, ELEMENTSOF(common_options), name, len,
                          is_long ? 0 : *name);
        if (!o || (!o->value && !is_long && value))
                return unknown_option(p, arg);
        if (value && is_long)
                value++;
        if (!o->value && value)
                return cli_fail(EXIT_USAGE, "--%s takes no value", o->name);
        if (o->value && !value) {
                if (p->i >= p->argc)
                        return cli_fail(EXIT_USAGE, "--%s wants a value: --%s=%s", o->name, o->name,
                                        o->value);
                value = p->argv[p->i++];
        }
        if (common)
                take_common(p, o, value);
        else
                p->args.given[o - p->verb->options] = value ? value : "";
        return -1;
}

static int unknown_verb(const char *name)
{
        const char *names[ELEMENTSOF(verbs) + 2];
        size_t n = 0;

        for (; n < ELEMENTSOF(verbs); n++)
                names[n] = verbs[n]->name;
        names[n++] = "help";
        names[n] = NULL;
        const char *near = str_nearest(name, names);
        return cli_fail(EXIT_USAGE, "unknown verb %s%s%s; raycluster --help lists them", name,
                        near ? "; did you mean " : "", strempty(near));
}

/* Operands are moved to the front of what is left of argv, in order. */
static int parse(Parser *p)
{
        bool only_operands = false;

        while (p->i < p->argc) {
                char *arg = p->argv[p->i];
                if (p->verb && p->verb->raw) {
                        p->args.rest = p->argv + p->i;
                        p->args.n_rest = p->argc - p->i;
                        return -1;
                }
                if (!only_operands && streq(arg, "--")) {
                        only_operands = true;
                        p->i++;
                } else if (!only_operands && arg[0] == '-' && arg[1]) {
                        int r = parse_option(p);
                        if (r >= 0)
                                return r;
                } else if (!p->verb) {
                        p->i++;
                        if (streq(arg, "help")) {
                                p->help = true;
                                p->verb = p->i < p->argc ? find(p->argv[p->i]) : NULL;
                                if (p->i < p->argc && !p->verb)
                                        return unknown_verb(p->argv[p->i]);
                                return -1;
                        }
                        p->verb = find(arg);
                        if (!p->verb)
                                return unknown_verb(arg);
                        p->args.rest = p->argv + p->i;
                } else {
                        p->args.rest[p->args.n_rest++] = arg;
                        p->i++;
                }
        }
        return -1;
}

int cli_run(int argc, char **argv)
{
        Parser p = {.argc = argc, .argv = argv, .i = 1};

        int r = parse(&p);
        if (r >= 0)
                return r;
        if (p.version) {
                printf("raycluster %s\n", RAYCLUSTER_VERSION);
                return EXIT_OK;
        }
        if (p.verb && p.verb->raw && p.args.n_rest == 1 && streq(p.args.rest[0], "--help"))
                p.help = true;
        if (p.help)
                return p.verb ? help_verb(p.verb) : help();
        if (!p.verb) {
                help();
                return EXIT_USAGE;
        }
        if (!p.args.rest)
                p.args.rest = argv + argc;
        p.args.rest[p.args.n_rest] = NULL; /* at most argv[argc] */
        if (p.cli.host && !p.verb->remote)
                return cli_fail(EXIT_USAGE,
                                "%s works on this machine only; try ssh %s raycluster %s",
                                p.verb->name, p.cli.host, p.verb->name);
        if (p.args.n_rest < p.verb->n_min || (p.verb->n_max >= 0 && p.args.n_rest > p.verb->n_max))
                return cli_fail(EXIT_USAGE, "usage: raycluster %s %s", p.verb->name, p.verb->usage);
        return p.verb->run(&p.cli, &p.args);
}
