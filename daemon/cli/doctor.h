/* The examination of a machine: findings in a list, each with what to do. */
#pragma once

#include "cli/client.h"
#include "conf/conf.h"

typedef enum FindingLevel {
        FINDING_OK,
        FINDING_WARN, /* Ray runs, but not as it should */
        FINDING_FAIL, /* Ray does not run, or not for long */
        _FINDING_LEVEL_MAX,
        _FINDING_LEVEL_INVALID = -EINVAL,
} FindingLevel;

DECLARE_STRTAB(finding_level, FindingLevel);

typedef struct Finding {
        FindingLevel level;
        const char *name; /* literal: "disk" */
        char *text;
} Finding;

/* Each check says one thing, a few say two. */
#define DOCTOR_FINDINGS_MAX 64

typedef struct Doctor {
        sd_bus *bus;   /* NULL = not reachable */
        Conf *conf;    /* of this machine, or the defaults */
        bool up;       /* a daemon answered */
        View view;     /* if up */
        Role role;     /* of the daemon, else of the enabled unit */
        bool has_role; /* role is known */
        char *venv;    /* the engine that would run, or NULL */
        Finding findings[DOCTOR_FINDINGS_MAX];
        size_t n;
} Doctor;

void doctor_done(Doctor *d);
#define _cleanup_doctor_ _cleanup_(doctor_done)

void doctor_say(Doctor *d, FindingLevel level, const char *name, const char *fmt, ...)
        _printf_(4, 5);

/* The checks; each says at least one thing, or has no opinion on this machine. */
void doctor_check_conf(Doctor *d);
void doctor_check_roles(Doctor *d);
void doctor_check_daemon(Doctor *d);
void doctor_check_room(Doctor *d);
void doctor_check_engine(Doctor *d);
void doctor_check_python(Doctor *d);
void doctor_check_disk(Doctor *d);
void doctor_check_shm(Doctor *d);
void doctor_check_ports(Doctor *d);
void doctor_check_limits(Doctor *d);
void doctor_check_clock(Doctor *d);
void doctor_check_polkit(Doctor *d);
void doctor_check_avahi(Doctor *d);
void doctor_check_head_name(Doctor *d);
void doctor_check_token(Doctor *d);
void doctor_check_tls(Doctor *d);
void doctor_check_groups(Doctor *d);
