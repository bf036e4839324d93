#include "probe-cli/merge.h"

#include <errno.h>
#include <stdio.h>

#include "base/exit.h"
#include "base/fd.h"
#include "probe-cli/joint.h"
#include "probe-cli/output.h"

/* -EBADMSG: told on stderr. */
static int read_report(const char *path, ProbeJson *ret)
{
        _cleanup_free_ char *text = NULL, *error = NULL;
        size_t size;

        int r = read_file(path, PROBE_JSON_MAX, &text, &size);
        if (r >= 0)
                r = probe_json_parse(text, size, ret, &error);
        if (r == -ENOMEM || r >= 0)
                return r;
        fprintf(stderr, "ray-probe: --merge %s: %s\n", path,
                error         ? error
                : r == -E2BIG ? "is larger than a report can be"
                              : strerror(-r));
        return -EBADMSG;
}

int merge_command(const Args *args)
{
        _cleanup_probe_json_ ProbeJson out = {0}, back = {0};
        _cleanup_joint_ Joint joint = {0};

        int r = read_report(args->merge_files[0], &out);
        if (r >= 0)
                r = read_report(args->merge_files[1], &back);
        if (r == -EBADMSG)
                return EXIT_USAGE;
        if (r < 0)
                return r;
        /* given the other way round, which the GCS's port shows */
        bool swapped = back.port == PROBE_PORT_DEFAULT && out.port != PROBE_PORT_DEFAULT;
        const ProbeJson *a = swapped ? &back : &out, *b = swapped ? &out : &back;
        const char *mistake = joint_mistake(a, b);
        if (mistake) {
                fprintf(stderr, "ray-probe: --merge: %s\n", mistake);
                return EXIT_USAGE;
        }
        r = joint_make(a, b, &joint);
        if (r < 0)
                return r;
        const OutputStyle style = {.json = args->json, .verbose = args->verbose};
        r = output_report(&joint.report, &style);
        return r < 0 ? r : verdict_code(joint.report.verdict);
}
