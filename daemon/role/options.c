#include "role/options.h"

#include <getopt.h>
#include <stdio.h>

#include "base/strtab.h"

enum { OPT_CONFIG = 256, OPT_CHECK, OPT_VERSION, OPT_LOG_TARGET, OPT_LOG_LEVEL };

static const char *const log_target_table[_LOG_TARGET_MAX] = {
        [LOG_TARGET_AUTO] = "auto",
        [LOG_TARGET_JOURNAL] = "journal",
        [LOG_TARGET_STDERR] = "stderr",
};

void options_done(Options *o)
{
        free(o->config);
        *o = (Options){};
}

static void help(const char *name, const char *what)
{
        printf("%s [OPTIONS]\n\n%s\n\n"
               "     --config FILE        read FILE and FILE.d instead of /etc/raycluster.conf\n"
               "     --check              read the configuration, say what is wrong, end\n"
               "     --log-target TARGET  auto, journal or stderr\n"
               "     --log-level LEVEL    error, warning, notice, info or debug\n"
               "  -h --help               show this help\n"
               "     --version            show the version\n\n"
               "See %s(8), raycluster.conf(5).\n",
               name, what, name);
}

static int parse_log(Options *o, const char *name, int opt)
{
        if (opt == OPT_LOG_TARGET) {
                o->log_target = (int)strtab_find(log_target_table, _LOG_TARGET_MAX, optarg);
                if (o->log_target >= 0)
                        return 0;
                (void)fprintf(stderr, "%s: --log-target %s: auto, journal or stderr\n", name,
                              optarg);
        } else {
                o->log_level = log_level_from_string(optarg);
                if (o->log_level >= 0)
                        return 0;
                (void)fprintf(stderr, "%s: --log-level %s: error, warning, notice, info or debug\n",
                              name, optarg);
        }
        return -EINVAL;
}

static int parse_one(Options *o, const char *name, const char *what, int opt)
{
        switch (opt) {
        case 'h':
                help(name, what);
                return 0;
        case OPT_VERSION:
                printf("%s %s\n", name, RAYCLUSTER_VERSION);
                return 0;
        case OPT_CONFIG:
                return free_and_strdup(&o->config, optarg) < 0 ? -ENOMEM : 1;
        case OPT_CHECK:
                o->check = true;
                return 1;
        case OPT_LOG_TARGET:
        case OPT_LOG_LEVEL:
                return parse_log(o, name, opt) < 0 ? -EINVAL : 1;
        default: /* getopt has said it */
                return -EINVAL;
        }
}

int options_parse(int argc, char **argv, const char *name, const char *what, Options *ret)
{
        static const struct option longs[] = {
                {"config", required_argument, NULL, OPT_CONFIG},
                {"check", no_argument, NULL, OPT_CHECK},
                {"log-target", required_argument, NULL, OPT_LOG_TARGET},
                {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, OPT_VERSION},
                {},
        };
        _cleanup_(options_done) Options o = {.log_target = -1, .log_level = -1};
        int opt;

        optind = 1;
        while ((opt = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
                int r = parse_one(&o, name, what, opt);
                if (r <= 0)
                        return r;
        }
        if (optind < argc) {
                (void)fprintf(stderr, "%s: unexpected argument %s; try --help\n", name,
                              argv[optind]);
                return -EINVAL;
        }
        *ret = o;
        o = (Options){};
        return 1;
}
