/* A report of another machine, read back: what is taken is whole and within bounds; of what is not
 * taken something printable is named. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "wire/probe-json.h"

static bool is_whole(const ProbeJson *p)
{
        return verdict_to_string(p->verdict) && probe_confidence_to_string(p->confidence) &&
               probe_direction_to_string(p->direction) && probe_place_to_string(p->place) &&
               (p->confidence == PROBE_INCONCLUSIVE) == (p->verdict == VERDICT_INCONCLUSIVE) &&
               p->port > 0 && !isempty(p->sentence) && strlen(p->sentence) <= PROBE_JSON_TEXT_MAX &&
               utf8_is_printable(p->sentence) && !strchr(p->sentence, '\n') &&
               strlen(p->at) < sizeof(p->at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_probe_json_ ProbeJson p = {0};
        _cleanup_free_ char *error = NULL;

        int r = probe_json_parse((const char *)data, size, &p, &error);
        if (r >= 0 && (error || !is_whole(&p)))
                abort();
        if (r == -EBADMSG && (isempty(error) || strchr(error, '\n')))
                abort();
        return 0;
}
