/* ray-probe: why can the head not be reached? */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/exit.h"
#include "engine/select.h"
#include "probe-cli/args.h"
#include "probe-cli/credentials.h"
#include "probe-cli/look.h"
#include "probe-cli/member-line-bus.h"
#include "probe-cli/merge.h"
#include "probe-cli/serve.h"
#include "probe-cli/site.h"
#include "reflect/code-line.h"

/* Whose ports are tried, and by which of its addresses. */
static int load_site(const Args *args, const MemberLines *lines, Conf **ret)
{
        _cleanup_free_ char *note = NULL;

        if (!args->has_code && !args->all && !lines)
                return 0;
        int r = site_load(lines ? member_lines_settings(lines) : NULL, ret, &note);
        if (note)
                fprintf(stderr, "ray-probe: %s\n", note);
        return r;
}

static int run(const Args *args)
{
        _cleanup_(credentials_done) Credentials who = {0};
        _cleanup_free_ Versions *engines = NULL;
        size_t n_engines;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(member_lines_freep) MemberLines *lines = NULL;
        _cleanup_(look_freep) Look *look = NULL;
        _cleanup_(conf_freep) Conf *site = NULL;
        int r;

        r = credentials_load(args, &who);
        if (r < 0)
                return r == -EINVAL ? EXIT_USAGE : r;
        r = sd_event_new(&event);
        if (r < 0)
                return r;
        /* a member's own head is asked for its side without a code */
        r = args->has_code ? 0 : member_lines_new(event, &lines);
        if (r >= 0)
                r = load_site(args, lines, &site);
        if (r < 0)
                return r;
        /* a machine that is no member has none: then versions are not compared */
        if (engine_list(NULL, &engines, &n_engines) == -ENOMEM)
                return -ENOMEM;
        ProbeRequest request = {
                .host = args->host,
                .port = args->port,
                .from = args->from,
                .token = who.token,
                .token_from = who.token_from,
                .tls = who.tls,
                .cluster = args->has_cluster ? &args->cluster : NULL,
                .engines = engines,
                .n_engines = n_engines,
                .deadline = args->deadline,
                .family = args->family,
                .discover = args->discover,
        };
        const CodeTransport transport = {.base = code_transport, .code = args->code};
        Addr node;
        if (args->has_code) {
                request.reflect = &transport.base;
                request.thorough = args->thorough;
        } else if (lines) {
                request.reflect = member_lines_transport(lines);
                request.reflect_optional = true;
        }
        if (site) {
                request.all = args->all;
                request.dashboard_local = site_dashboard_is_local(site, who.token);
                request.plan = &site->settings->ports;
                if (addr_parse(site->settings->node.address, &node) >= 0)
                        request.node = &node;
        }
        r = look_new(event, args, &request, &look);
        return r < 0 ? r : sd_event_loop(event);
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
        r = args.serve ? serve_command(args.port) : args.merge ? merge_command(&args) : run(&args);
        if (r < 0) {
                fprintf(stderr, "ray-probe: cannot %s: %s\n",
                        args.serve   ? "serve"
                        : args.merge ? "join the reports"
                                     : "examine the connection",
                        strerror(-r));
                return EXIT_INTERNAL;
        }
        return r;
}
