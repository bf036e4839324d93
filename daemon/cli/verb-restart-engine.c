#include <stdio.h>

#include "cli/client.h"

static int run(const Cli *cli, const CliArgs *args)
{
        int r = client_command(cli, "RestartEngine", 0);

        if (r == EXIT_OK)
                printf("Ray is drained and started again; raycluster wait waits for it.\n");
        return r;
}

const Verb verb_restart_engine = {
        .name = "restart-engine",
        .usage = "",
        .summary = "Drain and restart Ray on this machine (root, raycluster-admin)",
        .help = "Running tasks get the time of engine.drain to end. Settings that wait for a "
                "restart of\n"
                "Ray take effect. The daemon itself is not restarted.",
        .remote = true,
        .run = run,
};
