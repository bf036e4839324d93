#include <stdio.h>

#include "cli/client.h"

static int rotate(const Cli *cli, sd_bus *bus)
{
        int r = client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "RotateRayToken", NULL, NULL);
        if (r == EXIT_OK)
                printf("Ray is drained and restarted with another token, on this head and on every "
                       "member.\n");
        return r;
}

static int run(const Cli *cli, const CliArgs *args)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_view_ View v = {};
        const char *token;
        Role role = ROLE_HEAD;

        if (client_open(cli, &bus) < 0)
                return EXIT_INTERNAL;
        if (cli_get(&verb_ray_token, args, "rotate"))
                return rotate(cli, bus);
        if (client_view(bus, &v, &role) == 0)
                return cli_fail(EXIT_NOT_RUNNING, "neither ray-head nor ray-worker runs here; "
                                                  "raycluster status says why");
        int r = client_call(cli, bus, role, role == ROLE_HEAD ? CLIENT_MEMBERS : CLIENT_MEMBERSHIP,
                            "GetRayToken", &m, NULL);
        if (r != EXIT_OK)
                return r;
        if (sd_bus_message_read(m, "s", &token) < 0)
                return cli_fail(EXIT_INTERNAL, "the daemon's answer is not to be understood");
        printf("%s\n", token);
        return EXIT_OK;
}

const Verb verb_ray_token = {
        .name = "ray-token",
        .usage = "[--rotate]",
        .summary = "Print Ray's token of the cluster (root, raycluster-admin)",
        .help = "Whoever has it can run programs on all machines of the cluster as user ray. On a "
                "machine of\n"
                "the cluster nobody needs it: raycluster env and raycluster ray use it by "
                "themselves.",
        .options = {{"rotate", 0, NULL, "On the head: make another, and restart Ray everywhere"}},
        .remote = true,
        .run = run,
};
