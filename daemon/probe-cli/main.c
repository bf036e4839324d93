/* ray-probe: why can the head not be reached? One examination, one verdict. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/exit.h"
#include "base/fd.h"
#include "engine/select.h"
#include "probe-cli/args.h"
#include "probe-cli/nss.h"
#include "probe-cli/output.h"

/* Ray's tokens have some hundred bytes. */
#define TOKEN_MAX ((size_t)4096)

typedef struct Run {
        sd_event *event;
        const Args *args;
        ProbeRequest request;
        Addr nss; /* what the system knows of a name that DNS does not */
        char note[512];
        Probe *probe;
} Run;

static void on_report(Probe *p, const ProbeReport *report, void *userdata);

/* DNS does not know the name: ask as ssh and ping on this machine would. */
static int try_nss(Run *run, Probe *p, const ProbeReport *report)
{
        char addr[ADDR_MAX];
        if (report->verdict != VERDICT_NAME_NOT_FOUND || addr_is_set(&run->nss))
                return -ENOENT;
        int r = nss_lookup(run->args->host, &run->nss);
        if (r < 0)
                return r;
        (void)snprintf(run->note, sizeof(run->note), "%s; this system (nsswitch.conf) says %s",
                       strempty(report->because), addr_format(addr, &run->nss));
        run->request.addr = &run->nss;
        run->request.note = run->note;
        r = probe_new(run->event, &run->request, on_report, run, &run->probe);
        if (r >= 0)
                probe_free(p); /* the report went with it */
        return r;
}

static void on_report(Probe *p, const ProbeReport *report, void *userdata)
{
        Run *run = userdata;
        if (try_nss(run, p, report) >= 0)
                return;
        int r = run->args->json ? output_json(report) : output_text(report);
        (void)sd_event_exit(run->event, r < 0 ? EXIT_INTERNAL : verdict_code(report->verdict));
}

static int read_token(const char *path, char **ret)
{
        _cleanup_free_ char *text = NULL;
        int r = read_file(path, TOKEN_MAX, &text, NULL);
        if (r < 0) {
                fprintf(stderr, "ray-probe: --token-file %s: %s\n", path, strerror(-r));
                return r;
        }
        const char *token = str_strip(text);
        if (!*token) {
                fprintf(stderr, "ray-probe: --token-file %s: is empty\n", path);
                return -EINVAL;
        }
        return free_and_strdup(ret, token);
}

static int run(const Args *args)
{
        _cleanup_free_ char *token = NULL;
        _cleanup_strv_free_ char **rays = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        int r;

        if (args->token_file && read_token(args->token_file, &token) < 0)
                return EXIT_USAGE;
        r = sd_event_new(&event);
        if (r < 0)
                return r;
        /* a machine that is no member has none: then versions are not compared */
        if (engine_list(NULL, &rays) == -ENOMEM)
                return -ENOMEM;
        Run run = {
                .event = event,
                .args = args,
                .request =
                        {
                                .host = args->host,
                                .port = args->port,
                                .from = args->from,
                                .token = token,
                                .rays = rays,
                                .deadline = args->deadline,
                        },
        };
        r = probe_new(event, &run.request, on_report, &run, &run.probe);
        if (r >= 0)
                r = sd_event_loop(event);
        probe_free(run.probe);
        return r;
}

int main(int argc, char *argv[])
{
        Args args;
        int r = args_parse(argc, argv, &args);
        if (r < 0)
                return EXIT_USAGE;
        if (r == 0)
                return fflush(stdout) == EOF ? EXIT_INTERNAL : EXIT_OK;
        (void)signal(SIGPIPE, SIG_IGN);
        r = run(&args);
        if (r < 0) {
                fprintf(stderr, "ray-probe: cannot examine the connection: %s\n", strerror(-r));
                return EXIT_INTERNAL;
        }
        return r;
}
