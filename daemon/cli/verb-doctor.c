#include "cli/cli.h"

static int run(const Cli *cli, const CliArgs *args)
{
        return cli_fail(EXIT_INTERNAL, "not yet");
}

const Verb verb_doctor = {
        .name = "doctor",
        .usage = "",
        .summary = "Look over this machine: what would keep Ray from running well",
        .run = run,
};
