#include "cli/client.h"

static int run(const Cli *cli, const CliArgs *args)
{
        return client_command(cli, "Reload", 0);
}

const Verb verb_reload = {
        .name = "reload",
        .usage = "",
        .summary = "Read the configuration again (root, raycluster-admin)",
        .help = "With mistakes in it the old configuration stays in force, the mistakes are "
                "printed and\n"
                "the exit status is 78. What needs a restart of Ray is shown by raycluster status.",
        .remote = true,
        .run = run,
};
