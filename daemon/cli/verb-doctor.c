#include <stdarg.h>
#include <stdio.h>

#include "cli/doctor.h"
#include "cli/out.h"
#include "wire/json.h"

static const char *const finding_level_table[_FINDING_LEVEL_MAX] = {
        [FINDING_OK] = "ok",
        [FINDING_WARN] = "warn",
        [FINDING_FAIL] = "FAIL",
};
DEFINE_STRTAB(finding_level, FindingLevel);

/* In the order a person would want to read them; later ones lean on what earlier ones found. */
static void (*const checks[])(Doctor *) = {
        doctor_check_conf,   doctor_check_daemon, doctor_check_room,      doctor_check_roles,
        doctor_check_engine, doctor_check_python, doctor_check_head_name, doctor_check_disk,
        doctor_check_shm,    doctor_check_ports,  doctor_check_limits,    doctor_check_clock,
        doctor_check_polkit, doctor_check_avahi,  doctor_check_token,     doctor_check_tls,
        doctor_check_groups,
};

void doctor_done(Doctor *d)
{
        bus_closep(&d->bus);
        conf_free(d->conf);
        view_done(&d->view);
        free(d->venv);
        for (size_t i = 0; i < d->n; i++)
                free(d->findings[i].text);
}

void doctor_say(Doctor *d, FindingLevel level, const char *name, const char *fmt, ...)
{
        char *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        int r = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (r < 0 || d->n >= DOCTOR_FINDINGS_MAX) {
                free(r < 0 ? NULL : text);
                return;
        }
        d->findings[d->n++] = (Finding){.level = level, .name = name, .text = text};
}

static void print(const Doctor *d)
{
        static const char *const colours[] = {"\033[32m", "\033[33m", "\033[1;31m"};
        bool colour = out_colour();

        for (size_t i = 0; i < d->n; i++) {
                const Finding *f = &d->findings[i];
                _cleanup_free_ char *clean = str_escape(f->text, strlen(f->text), 2000);
                printf("%s%-4s%s  %-14s %s\n", colour ? colours[f->level] : "",
                       finding_level_to_string(f->level), colour ? "\033[0m" : "", f->name,
                       strempty(clean));
        }
}

static int print_json(const Doctor *d)
{
        _cleanup_json_ Json *o = json_object_new();
        Json *list = json_array_new();
        bool good = o && json_set_int(o, "schema", 1) >= 0;

        for (size_t i = 0; i < d->n && list; i++) {
                Json *f = json_object_new();
                const char *level = d->findings[i].level == FINDING_FAIL
                                            ? "fail"
                                            : finding_level_to_string(d->findings[i].level);
                good = f && json_set_str(f, "check", d->findings[i].name) >= 0 &&
                       json_set_str(f, "result", level) >= 0 &&
                       json_set_str(f, "text", d->findings[i].text) >= 0 && good;
                good = json_push(list, f) >= 0 && good;
        }
        good = o && json_set(o, "checks", list) >= 0 && good;
        _cleanup_free_ char *text = good ? json_format(o, true) : NULL;
        if (!text)
                return cli_fail(EXIT_INTERNAL, "out of memory");
        puts(text);
        return EXIT_OK;
}

static int run(const Cli *cli, const CliArgs *args)
{
        _cleanup_doctor_ Doctor d = {};
        bool failed = false;

        (void)sd_bus_open_system(&d.bus);
        if (d.bus)
                (void)sd_bus_set_method_call_timeout(d.bus, CLIENT_TIMEOUT);
        for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
                checks[i](&d);
                if (!d.conf)
                        return cli_fail(EXIT_INTERNAL, "out of memory");
        }
        if (cli_get(&verb_doctor, args, "json")) {
                if (print_json(&d) != EXIT_OK)
                        return EXIT_INTERNAL;
        } else
                print(&d);
        for (size_t i = 0; i < d.n; i++)
                failed = failed || d.findings[i].level == FINDING_FAIL;
        return failed ? EXIT_INTERNAL : EXIT_OK;
}

const Verb verb_doctor = {
        .name = "doctor",
        .usage = "[--json]",
        .summary = "Look over this machine: what would keep Ray from running well",
        .help = "Each line is ok, warn or FAIL, the latter two with what to do. The exit status is "
                "1 when\n"
                "something failed. For the way to the head, see ray-probe(1).",
        .options = {{"json", 'j', NULL, "For programs; schema 1"}},
        .run = run,
};
