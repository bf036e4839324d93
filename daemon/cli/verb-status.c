#include <stdio.h>

#include "cli/out.h"
#include "cli/snapshot.h"

static int run(const Cli *cli, const CliArgs *args)
{
        _cleanup_snapshot_ Snapshot s = {};

        if (snapshot_take(cli, &s) < 0)
                return EXIT_INTERNAL;
        if (cli_get(&verb_status, args, "json")) {
                _cleanup_json_ Json *j = snapshot_json(&s);
                _cleanup_free_ char *text = j ? json_format(j, true) : NULL;
                if (!text)
                        return cli_fail(EXIT_INTERNAL, "out of memory");
                puts(text);
        } else {
                out_page(cli);
                snapshot_print(&s, cli_get(&verb_status, args, "all"));
                out_done();
        }
        return s.up ? EXIT_OK : EXIT_NOT_RUNNING;
}

const Verb verb_status = {
        .name = "status",
        .usage = "[--json] [--all]",
        .summary = "This machine, the cluster and its nodes",
        .help = "States of nodes are Slurm's: idle, mix (partly busy), alloc (busy), drng "
                "(draining), drain\n"
                "(drained), down. The exit status is 3 when no daemon runs here.",
        .options = {{"json", 'j', NULL, "For programs; schema 1, see raycluster(1)"},
                    {"all", 'a', NULL, "Also dead nodes of machines that are back"}},
        .remote = true,
        .run = run,
};
