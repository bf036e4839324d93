#include "probe-cli/args.h"

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/parse.h"
#include "base/str.h"

#define DEADLINE_MIN (100 * USEC_PER_MSEC)
#define DEADLINE_MAX (10 * USEC_PER_MIN)

static void help(void)
{
        printf("Usage: ray-probe [OPTION...] HOST [PORT]\n"
               "\n"
               "Find out why Ray's head at HOST cannot be reached, and say what to do.\n"
               "PORT is the port of the GCS, %d when not given.\n"
               "\n"
               "  --json             report as JSON\n"
               "  --from IF|ADDR     go out by this interface or own address\n"
               "  --deadline TIME    end within this time (6s)\n"
               "  --token-file FILE  Ray's token, where the cluster asks for one\n"
               "  --help             show this text\n"
               "  --version          show the version\n"
               "\n"
               "The exit status is the verdict's number, 0 when all is well; see ray-probe(1).\n",
               PROBE_PORT_DEFAULT);
}

static int mistake(const char *fmt, ...) _printf_(1, 2);
static int mistake(const char *fmt, ...)
{
        va_list ap;
        fputs("ray-probe: ", stderr);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        return -EINVAL;
}

static int check_from(const char *s)
{
        Addr a;
        if (addr_parse(s, &a) >= 0)
                return 0;
        if (*s && strlen(s) < IF_NAMESIZE && !strpbrk(s, "/ :"))
                return 0;
        return mistake("--from %s: neither an address nor an interface name", s);
}

static int check_host(const char *s)
{
        Addr a;
        if (!*s)
                return mistake("HOST is empty");
        if (addr_parse(s, &a) >= 0 && (addr_is_any(&a) || addr_is_multicast(&a)))
                return mistake("HOST %s: is the address of no machine", s);
        if (strlen(s) > 253)
                return mistake("HOST is longer than a name can be (253 characters)");
        return 0;
}

static int parse_option(int c, Args *a)
{
        switch (c) {
        case 'j':
                a->json = true;
                return 1;
        case 'f':
                a->from = optarg;
                return check_from(optarg) < 0 ? -EINVAL : 1;
        case 't':
                a->token_file = optarg;
                return 1;
        case 'd':
                if (parse_duration(optarg, &a->deadline) < 0)
                        return mistake("--deadline %s: not a time; write for instance 6s or 500ms",
                                       optarg);
                if (a->deadline < DEADLINE_MIN || a->deadline > DEADLINE_MAX)
                        return mistake("--deadline %s: must be 100ms to 10min", optarg);
                return 1;
        case 'h':
                help();
                return 0;
        case 'v':
                puts("ray-probe " RAYCLUSTER_VERSION);
                return 0;
        default:
                fputs("Try ray-probe --help.\n", stderr);
                return -EINVAL;
        }
}

int args_parse(int argc, char *argv[], Args *ret)
{
        static const struct option options[] = {
                {"json", no_argument, NULL, 'j'},
                {"from", required_argument, NULL, 'f'},
                {"deadline", required_argument, NULL, 'd'},
                {"token-file", required_argument, NULL, 't'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},
                {},
        };
        Args a = {.port = PROBE_PORT_DEFAULT};
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                int r = parse_option(c, &a);
                if (r <= 0)
                        return r;
        }
        if (optind >= argc)
                return mistake("which HOST? Try ray-probe --help.");
        if (argc - optind > 2)
                return mistake("too many arguments: %s; one HOST and one PORT", argv[optind + 2]);
        a.host = argv[optind];
        int r = check_host(a.host);
        if (r < 0)
                return r;
        if (optind + 1 < argc && parse_port(argv[optind + 1], &a.port) < 0)
                return mistake("PORT %s: must be a number from 1 to 65535", argv[optind + 1]);
        *ret = a;
        return 1;
}
