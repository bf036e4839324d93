/* ray-engine: see ray-engine(8). */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/exit.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "supervisor/prune.h"
#include "supervisor/supervisor.h"
#include "sys/notify.h"

typedef struct Options {
        Role role;
        const char *args_file; /* NULL: the daemon's */
        const char *prune;     /* only remove old files below this temp dir */
} Options;

static void help(void)
{
        puts("ray-engine [OPTIONS] head|worker\n\n"
             "Runs Ray as a service. It is the main process of ray-engine@head.service or\n"
             "ray-engine@worker.service, started by ray-headd or ray-workerd; see "
             "ray-engine(8).\n\n"
             "  --args=FILE  arguments, instead of /run/raycluster/engine-ROLE.args\n"
             "  --prune=DIR  remove old sessions and logs below Ray's temp dir, and end\n"
             "  --help       this text\n"
             "  --version    the version");
}

/* 1: go on; else the exit status, negated where it is not 0. */
static int options_parse(int argc, char **argv, Options *ret)
{
        static const struct option options[] = {
                {"args", required_argument, NULL, 'a'},
                {"prune", required_argument, NULL, 'p'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'V'},
                {},
        };
        Options o = {.role = _ROLE_INVALID};

        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
                if (c == 'h') {
                        help();
                        return 0;
                }
                if (c == 'V') {
                        puts("raycluster " RAYCLUSTER_VERSION);
                        return 0;
                }
                if (c != 'a' && c != 'p')
                        return -EXIT_USAGE;
                if (c == 'a')
                        o.args_file = optarg;
                else
                        o.prune = optarg;
        }
        if (o.prune && optind == argc) {
                *ret = o;
                return 1;
        }
        if (optind == argc - 1)
                o.role = role_from_string(argv[optind]);
        if (o.role < 0) {
                (void)fputs("ray-engine: which role? ray-engine head, or ray-engine worker\n",
                            stderr);
                return -EXIT_USAGE;
        }
        *ret = o;
        return 1;
}

static int refuse(int exit_status, const char *text)
{
        log_event(LOG_ERR, MSG_ENGINE_FAILED, NULL, "%s", text);
        notify_status("%s", text);
        return exit_status;
}

/* 0 and the arguments, or the exit status. */
static int load_args(const Options *o, EngineArgs **ret)
{
        _cleanup_(engine_args_freep) EngineArgs *a = NULL;
        _cleanup_free_ char *path = NULL, *data = NULL, *why = NULL, *text = NULL;
        size_t size = 0;

        path = o->args_file ? strdup(o->args_file)
                            : str_printf("/run/raycluster/engine-%s.args", role_to_string(o->role));
        if (!path) {
                log_oom();
                return EXIT_INTERNAL;
        }
        int r = read_file(path, ENGINE_ARGS_MAX, &data, &size);
        if (r >= 0)
                r = engine_args_parse(data, size, &a, &why);
        if (r >= 0 && a->role != o->role)
                why = str_printf("it is for the %s, and this is the %s", role_to_string(a->role),
                                 role_to_string(o->role));
        if (r < 0 || why) {
                text = str_printf("%s: %s; ray-%s.service writes it anew and starts Ray again",
                                  path, why ? why : strerror(-r), role_to_string(o->role));
                return refuse(EXIT_CONF, strna(text));
        }
        *ret = TAKE_PTR(a);
        return 0;
}

/* The service's state directory; by hand, the installed one. */
static int find_paths(char **ret_home, char **ret_gcs)
{
        _cleanup_strv_free_ char **dirs = NULL;
        _cleanup_free_ char *home = NULL, *gcs = NULL;

        /* "ray ray/home": the first is the one that holds the other */
        int r = strv_split(strempty(getenv("STATE_DIRECTORY")), ":", &dirs);
        if (r < 0)
                return r;
        const char *state = dirs ? dirs[0] : "/var/lib/ray";
        home = path_join(state, "home");
        gcs = path_join(state, "gcs");
        if (!home || !gcs)
                return -ENOMEM;
        *ret_home = TAKE_PTR(home);
        *ret_gcs = TAKE_PTR(gcs);
        return 0;
}

static int run_loop(const EngineArgs *args, const EnginePaths *paths)
{
        _cleanup_(supervisor_freep) Supervisor *s = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;

        int r = sd_event_new(&event);
        if (r >= 0)
                r = notify_watchdog(event);
        if (r >= 0)
                r = supervisor_new(event, args, paths, &s);
        if (r >= 0)
                r = supervisor_start(s);
        if (r < 0) {
                (void)log_error_errno(r, "Failed to set up: %m");
                return EXIT_INTERNAL;
        }
        r = sd_event_loop(event);
        if (r < 0) {
                (void)log_error_errno(r, "Event loop failed: %m");
                return EXIT_INTERNAL;
        }
        return r;
}

static int prune(const char *temp_dir)
{
        char size[SIZE_STR_MAX];
        PruneResult p;

        int r = prune_run(temp_dir, NULL, now_real(), &p);
        if (p.sessions + p.files > 0)
                log_info("Removed %zu old sessions and %zu old log files of Ray below %s: %s.",
                         p.sessions, p.files, temp_dir, format_size(size, p.bytes));
        if (r < 0) {
                (void)log_warning_errno(r, "Cannot remove old files below %s: %m", temp_dir);
                return EXIT_INTERNAL;
        }
        return EXIT_OK;
}

static int run(int argc, char **argv)
{
        _cleanup_(engine_args_freep) EngineArgs *args = NULL;
        _cleanup_free_ char *home = NULL, *gcs = NULL;
        Options o = {};

        int r = options_parse(argc, argv, &o);
        if (r <= 0)
                return -r;
        log_init("ray-engine", LOG_TARGET_AUTO, LOG_INFO);
        if (o.prune)
                return prune(o.prune);
        log_set_role(o.role == ROLE_HEAD ? "head" : "worker");
        /* Ray's sockets are for group ray as well (ray-facts 10) */
        (void)umask(0007);
        r = load_args(&o, &args);
        if (r != 0)
                return r;
        log_set(LOG_TARGET_AUTO, args->log_level);
        r = find_paths(&home, &gcs);
        if (r < 0) {
                log_oom();
                return EXIT_INTERNAL;
        }
        return run_loop(args, &(EnginePaths){.home = home, .gcs_dir = gcs});
}

int main(int argc, char **argv)
{
        return run(argc, argv);
}
