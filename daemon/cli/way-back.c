#include "cli/way-back.h"

#include <stdio.h>

#include "base/str.h"
#include "base/time.h"
#include "cli/client.h"

/* The daemon itself waits for eight seconds (REFLECTOR_BUS_WAIT_MAX). */
#define TEST_PATIENCE (12 * USEC_PER_SEC)

static bool tell(sd_bus_message *m)
{
        const char *verdict, *sentence, *remedy;
        int starts;

        if (sd_bus_message_read(m, "bsss", &starts, &verdict, &sentence, &remedy) < 0)
                return false;
        if (!starts)
                fprintf(stderr, "Ray is not started: %s\n", sentence);
        else if (!isempty(sentence))
                printf("%s: %s\n", isempty(verdict) || streq(verdict, "OK") ? "Tested" : verdict,
                       sentence);
        if (!isempty(remedy))
                fprintf(starts ? stdout : stderr, "Try: %s\n", remedy);
        if (!starts)
                fprintf(stderr, "It is tested again by itself.\n");
        return !starts;
}

bool way_back_tell(const Cli *cli)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;

        if (client_open(cli, &bus) < 0)
                return false;
        int r = sd_bus_message_new_method_call(bus, &m, CLIENT_NAME(ROLE_WORKER),
                                               CLIENT_PATH(ROLE_WORKER), CLIENT_REFLECTOR,
                                               "WaitTest");
        if (r >= 0)
                r = sd_bus_call(bus, m, TEST_PATIENCE, &error, &reply);
        /* not tested yet: then there is nothing to tell but what follows anyway */
        return r >= 0 && tell(reply);
}
