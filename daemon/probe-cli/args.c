#include "probe-cli/args.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/parse.h"
#include "base/str.h"
#include "probe-cli/args-check.h"
#include "probe-cli/help.h"

#define DEADLINE_MIN (100 * USEC_PER_MSEC)
#define DEADLINE_MAX (10 * USEC_PER_MIN)

static int parse_deadline(const char *s, usec_t *ret)
{
        if (parse_duration(s, ret) < 0)
                return mistake("--deadline %s: not a time; write for instance 6s or 500ms", s);
        if (*ret < DEADLINE_MIN || *ret > DEADLINE_MAX)
                return mistake("--deadline %s: must be 100ms to 10min", s);
        return 1;
}

/* It is a secret for ten minutes: `ps` need not show it. */
static int parse_code(char *s, Args *a)
{
        CodeError error;
        char text[CODE_ERROR_MAX];

        if (reflect_code_parse(s, &a->code, &error) < 0)
                return mistake("--code %s: %s", s, reflect_code_error(text, s, &error));
        a->has_code = true;
        memset(s, 'x', strlen(s));
        return 1;
}

static int parse_option(int c, const char *word, Args *a)
{
        switch (c) {
        case 'f':
                a->from = optarg;
                return check_from(optarg) < 0 ? -EINVAL : 1;
        case 'd':
                return parse_deadline(optarg, &a->deadline);
        case '4':
        case '6':
                if (a->family && a->family != (c == '4' ? AF_INET : AF_INET6))
                        return mistake("-4 and -6: one of them, or none for both");
                a->family = c == '4' ? AF_INET : AF_INET6;
                return 1;
        case 'D':
                a->discover = true;
                return 1;
        case 't':
                a->token_file = optarg;
                return 1;
        case 'T':
                a->tls = true;
                return 1;
        case 'A':
                a->tls_ca = optarg;
                return 1;
        case 'C':
                a->tls_cert = optarg;
                return 1;
        case 'K':
                a->tls_key = optarg;
                return 1;
        case 'I':
                a->has_cluster = true;
                return check_cluster_id(optarg, &a->cluster) < 0 ? -EINVAL : 1;
        case 'a':
                a->all = true;
                return 1;
        case 'H':
                a->thorough = true;
                return 1;
        case 'j':
                a->json = true;
                return 1;
        case 'V':
                a->verbose = true;
                return 1;
        case 'w':
                a->watch = true;
                return 1;
        case 'c':
                return parse_code(optarg, a);
        case 'S':
                a->serve = true;
                return 1;
        case 'm':
                a->merge = true;
                return 1;
        case 'h':
                help_print();
                return 0;
        case 'v':
                puts("ray-probe " RAYCLUSTER_VERSION);
                return 0;
        case ':':
                return mistake("%s: wants a value; try ray-probe --help", word);
        default:
                return mistake("%s: no such option, or not one alone; try ray-probe --help", word);
        }
}

/* What is left behind the options: HOST [PORT]. */
static int parse_words(int n, char *words[], Args *a)
{
        if (n < 1)
                return mistake("which HOST? Try ray-probe --help.");
        if (n > 2)
                return mistake("too many arguments: %s; one HOST and one PORT", words[2]);
        a->host = words[0];
        int r = check_host(a->host);
        if (r >= 0)
                r = check_family(a->family, a->host, a->from);
        if (r < 0)
                return r;
        if (n > 1 && parse_port(words[1], &a->port) < 0)
                return mistake("PORT %s: must be a number from 1 to 65535", words[1]);
        if (a->thorough && !a->has_code)
                return mistake("--thorough: wants --code, with what --serve printed on the head");
        return 1;
}

/* What only goes with an examination was given. */
static bool examines(const Args *a)
{
        return a->from || a->token_file || a->tls || a->tls_ca || a->tls_cert || a->tls_key ||
               a->has_cluster || a->has_code || a->deadline || a->family || a->all || a->thorough ||
               a->discover || a->watch;
}

/* --serve [PORT] */
static int parse_serve(int n, char *words[], Args *a)
{
        if (examines(a) || a->json || a->merge)
                return mistake("--serve: goes with a PORT and with no other option");
        if (n > 1)
                return mistake("--serve: too many arguments: %s; one PORT", words[1]);
        a->port = 0;
        if (n > 0 && parse_port(words[0], &a->port) < 0)
                return mistake("--serve: PORT %s: must be a number from 1 to 65535", words[0]);
        return 1;
}

/* --merge FILE FILE */
static int parse_merge(int n, char *words[], Args *a)
{
        if (examines(a))
                return mistake("--merge: goes with two files, --json and --verbose only");
        if (n != 2)
                return mistake("--merge: wants two files, the report made on the worker and the "
                               "one made on the head; there %s %d",
                               n == 1 ? "is" : "are", n);
        a->merge_files[0] = words[0];
        a->merge_files[1] = words[1];
        return 1;
}

int args_parse(int argc, char *argv[], Args *ret)
{
        static const struct option options[] = {
                /* the way there */
                {"from", required_argument, NULL, 'f'},
                {"deadline", required_argument, NULL, 'd'},
                {"all", no_argument, NULL, 'a'},
                {"discover", no_argument, NULL, 'D'},
                /* who we are to the cluster */
                {"token-file", required_argument, NULL, 't'},
                {"cluster-id", required_argument, NULL, 'I'},
                {"tls", no_argument, NULL, 'T'},
                {"tls-ca", required_argument, NULL, 'A'},
                {"tls-cert", required_argument, NULL, 'C'},
                {"tls-key", required_argument, NULL, 'K'},
                /* the other side */
                {"code", required_argument, NULL, 'c'},
                {"thorough", no_argument, NULL, 'H'},
                {"serve", no_argument, NULL, 'S'},
                {"merge", no_argument, NULL, 'm'},
                /* what is shown */
                {"json", no_argument, NULL, 'j'},
                {"verbose", no_argument, NULL, 'V'},
                {"watch", no_argument, NULL, 'w'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},
                {},
        };
        Args a = {.port = PROBE_PORT_DEFAULT};
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, ":46", options, NULL)) >= 0) {
                int r = parse_option(c, argv[optind - 1], &a);
                if (r <= 0)
                        return r;
        }
        int r = (a.serve   ? parse_serve
                 : a.merge ? parse_merge
                           : parse_words)(argc - optind, argv + optind, &a);
        if (r > 0)
                *ret = a;
        return r;
}
