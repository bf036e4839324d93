/* The command line: a table of verbs, each with its options as data, so that parsing, --help, the
 * manual's test and the completion's test all read the same thing. */
#pragma once

#include "base/exit.h"
#include "base/str.h"

/* Options of one verb, the common ones not counted. */
#define CLI_OPTIONS_MAX 8

typedef struct CliOption {
        const char *name;  /* "json" */
        char letter;       /* 'j', or 0 */
        const char *value; /* what it takes: "N"; NULL: it is a switch */
        const char *text;
} CliOption;

/* What stands before or behind the verb and means the same for all. */
typedef struct Cli {
        const char *host; /* -H; NULL = this machine */
        bool no_pager;
} Cli;

typedef struct CliArgs {
        const char *given[CLI_OPTIONS_MAX]; /* by index into the verb's options; NULL = not given */
        char **rest;                        /* NULL-ended, borrowed from argv */
        int n_rest;
} CliArgs;

typedef struct Verb {
        const char *name;
        const char *usage;   /* what follows the name: "[FILE…]" */
        const char *summary; /* for the list of verbs */
        const char *help;    /* more lines for --help, or NULL */
        CliOption options[CLI_OPTIONS_MAX];
        int n_min, n_max; /* operands; n_max -1 = any number */
        bool raw;         /* everything behind the name belongs to another program */
        bool remote;      /* knows what to do with -H */
        int (*run)(const Cli *cli, const CliArgs *args); /* an exit status */
} Verb;

extern const Verb verb_check, verb_config, verb_status, verb_wait, verb_env, verb_restart_engine,
        verb_reload, verb_ray, verb_doctor, verb_token, verb_node, verb_join, verb_leave,
        verb_ray_token, verb_backup, verb_restore;

/* The value of an option ("" for a switch that was given), or NULL. */
const char *cli_get(const Verb *v, const CliArgs *args, const char *name);

/* One line on stderr: "raycluster: …"; returns `status`, so that `return cli_fail(…)` works. */
int cli_fail(int status, const char *fmt, ...) _printf_(2, 3);

/* The whole program, for main() and tests. */
int cli_run(int argc, char **argv);
