/* What can be seen in files, by system calls and by the resolver. */
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/fd.h"
#include "base/parse.h"
#include "cli/doctor.h"
#include "conf/schema.h"
#include "engine/args.h"
#include "engine/ready.h"
#include "engine/select.h"
#include "engine/tls.h"
#include "sys/clock.h"

void doctor_check_conf(Doctor *d)
{
        _cleanup_conf_errors_ ConfErrors e = {}, none = {};

        int r = conf_load(NULL, NULL, &d->conf, &e);
        if (r == 0) {
                doctor_say(d, FINDING_OK, "configuration", CONF_FILE " is good");
                return;
        }
        if (e.n > 0) {
                _cleanup_free_ char *first = conf_error_format(&e.errors[0]);
                doctor_say(d, FINDING_FAIL, "configuration", "%s%s; all mistakes: raycluster check",
                           strempty(first), e.n > 1 ? ", and more" : "");
        }
        (void)conf_load_text("built-in", "", 0, &d->conf, &none);
}

/* From here on what the head has set is part of the configuration. Only the daemon knows it. */
void doctor_check_room(Doctor *d)
{
        _cleanup_conf_errors_ ConfErrors e = {}, ignored = {};
        const char *room = d->view.head_settings;
        Conf *c = NULL;

        if (!d->up || isempty(room) ||
            conf_load_member(NULL, NULL, room, strlen(room), &c, &e, &ignored) < 0)
                return; /* a wrong file is said already */
        conf_free(d->conf);
        d->conf = c;
        if (ignored.n == 0) {
                doctor_say(d, FINDING_OK, "head's word", "what the head has set is in use");
                return;
        }
        _cleanup_free_ char *first = conf_error_format(&ignored.errors[0]);
        doctor_say(d, FINDING_WARN, "head's word", "%s%s; all of it: raycluster config",
                   strempty(first), ignored.n > 1 ? ", and more" : "");
}

void doctor_check_engine(Doctor *d)
{
        Engine e _cleanup_(engine_done) = {};
        _cleanup_free_ char *why = NULL;

        int r = engine_select(&d->conf->settings->engine, NULL, d->up ? d->view.ray_version : NULL,
                              &e, &why);
        if (r <= 0) {
                doctor_say(d, FINDING_FAIL, "engine", "%s", r == 0 ? strempty(why) : strerror(-r));
                return;
        }
        doctor_say(d, FINDING_OK, "engine", "%s%s%s", e.venv, *e.ray ? ", Ray " : "", e.ray);
        d->venv = TAKE_PTR(e.venv);
}

static void pclosep(FILE **f)
{
        if (*f)
                pclose(*f);
}

/* "3.11.2" of an interpreter; runs it. */
static int python_version(const char *venv, char ret[32])
{
        _cleanup_free_ char *command = NULL;
        _cleanup_(pclosep) FILE *f = NULL;

        if (strchr(venv, '\''))
                return -EINVAL;
        command = str_printf("timeout 10 '%s/bin/python' -I -V 2>/dev/null", venv);
        f = command ? popen(command, "re") : NULL;
        if (!f || fscanf(f, "Python %31s", ret) != 1)
                return -ENOEXEC;
        return 0;
}

void doctor_check_python(Doctor *d)
{
        char version[32];

        if (!d->venv)
                return;
        if (python_version(d->venv, version) < 0) {
                doctor_say(d, FINDING_FAIL, "python",
                           "%s/bin/python does not run: install raycluster-engine again, or mend "
                           "engine.venv",
                           d->venv);
                return;
        }
        if (d->up && *d->view.python_version && !streq(d->view.python_version, version))
                doctor_say(
                        d, FINDING_FAIL, "python",
                        "Python %s here and %s on the head: they have to be the same; bring both "
                        "machines to the same release and updates",
                        version, d->view.python_version);
        else
                doctor_say(d, FINDING_OK, "python", "Python %s%s", version,
                           d->up && *d->view.python_version ? ", as on the head" : "");
}

void doctor_check_disk(Doctor *d)
{
        _cleanup_free_ char *why = NULL;
        int r = ready_disk(d->conf->settings->engine.temp_dir, &why);

        if (r > 0)
                doctor_say(d, FINDING_OK, "disk", "room enough for %s",
                           d->conf->settings->engine.temp_dir);
        else
                doctor_say(d, FINDING_FAIL, "disk", "%s", r == 0 ? strempty(why) : strerror(-r));
}

/* Ray takes 30 % of the memory for objects; when /dev/shm is smaller it uses the disk, and warns in
 * a place where nobody looks. */
void doctor_check_shm(Doctor *d)
{
        _cleanup_free_ char *why = NULL;
        char have[SIZE_STR_MAX], want[SIZE_STR_MAX];
        struct statvfs v;
        struct sysinfo i;

        if (ready_shm("/dev/shm", &why) == 0) {
                doctor_say(d, FINDING_FAIL, "shared memory", "%s", strempty(why));
                return;
        }
        if (statvfs("/dev/shm", &v) < 0 || sysinfo(&i) < 0)
                return;
        uint64_t set = d->conf->settings->resources.object_store_memory;
        uint64_t need = set > 0 ? set : (uint64_t)i.totalram * i.mem_unit / 10 * 3;
        uint64_t size = (uint64_t)v.f_bavail * v.f_frsize;
        if (size < need)
                doctor_say(
                        d, FINDING_WARN, "shared memory",
                        "/dev/shm has %s left and Ray would like %s for objects: mount it larger "
                        "(mount -o remount,size=...), or set resources.object_store_memory",
                        format_size(have, size), format_size(want, need));
        else
                doctor_say(d, FINDING_OK, "shared memory", "/dev/shm has %s left",
                           format_size(have, size));
}

/* A port of the plan inside the range of outgoing connections can be taken by any of them. */
static void check_ephemeral(Doctor *d)
{
        _cleanup_free_ char *text = NULL;
        unsigned first, last;
        const PortPlan *p = &d->conf->settings->ports;

        if (read_file("/proc/sys/net/ipv4/ip_local_port_range", 64, &text, NULL) < 0 ||
            sscanf(text, "%u %u", &first, &last) != 2)
                return;
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *k = &conf_keys[i];
                if (k->type != CONF_PORT && k->type != CONF_PORT_RANGE)
                        continue;
                uint16_t port = *(const uint16_t *)((const char *)d->conf->settings + k->offset);
                uint16_t end = k->type == CONF_PORT ? port : p->worker_last;
                if (port > last || end < first)
                        continue;
                doctor_say(d, FINDING_WARN, "ports",
                           "%s lies inside %u-%u, from which Linux takes ports for outgoing "
                           "connections: choose one outside, or change "
                           "net.ipv4.ip_local_port_range",
                           k->path, first, last);
                return;
        }
}

void doctor_check_ports(Doctor *d)
{
        _cleanup_free_ char *why = NULL;
        bool running = d->up && (streq(d->view.engine_state, "running") ||
                                 streq(d->view.engine_state, "starting"));

        check_ephemeral(d);
        if (running) {
                doctor_say(d, FINDING_OK, "ports", "held by Ray, which runs");
                return;
        }
        int r = ready_ports(&d->conf->settings->ports, d->has_role ? d->role : ROLE_WORKER, NULL,
                            &why);
        if (r > 0)
                doctor_say(d, FINDING_OK, "ports", "all of Ray's ports are free");
        else if (r == 0)
                doctor_say(d, FINDING_FAIL, "ports", "%s", strempty(why));
}

void doctor_check_clock(Doctor *d)
{
        int r = clock_is_synced();

        if (r < 0)
                return;
        if (r == 0)
                doctor_say(d, FINDING_WARN, "clock",
                           "not synchronised: logs of several machines cannot be put in order; "
                           "systemctl enable --now systemd-timesyncd (or chrony)");
        else
                doctor_say(d, FINDING_OK, "clock", "synchronised");
}

static void freeaddrinfop(struct addrinfo **a)
{
        if (*a)
                freeaddrinfo(*a);
}

void doctor_check_head_name(Doctor *d)
{
        _cleanup_(freeaddrinfop) struct addrinfo *list = NULL;
        const char *head = d->conf->settings->disco.head;
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        char buf[ADDR_MAX];
        Addr a;

        if (!*head)
                return;
        int r = getaddrinfo(head, NULL, &hints, &list);
        if (r != 0) {
                doctor_say(d, FINDING_FAIL, "head",
                           "%s cannot be resolved: %s; is it spelled right?", head,
                           gai_strerror(r));
                return;
        }
        for (const struct addrinfo *i = list; i; i = i->ai_next) {
                if (addr_from_sockaddr(i->ai_addr, i->ai_addrlen, &a) < 0)
                        continue;
                if (addr_is_loopback(&a)) {
                        doctor_say(d, FINDING_WARN, "head",
                                   "%s is %s, a loopback address that other machines cannot use: "
                                   "give it its real address in /etc/hosts or DNS",
                                   head, addr_format(buf, &a));
                        return;
                }
        }
        if (list && addr_from_sockaddr(list->ai_addr, list->ai_addrlen, &a) == 0)
                doctor_say(d, FINDING_OK, "head", "%s is %s", head, addr_format(buf, &a));
}

/* What an admin gave has to be as strict as what the daemon makes. */
static void check_token_file(Doctor *d, const char *path, bool ours)
{
        const struct group *ray = getgrnam("ray");
        struct stat st;

        if (stat(path, &st) < 0)
                doctor_say(d, FINDING_FAIL, "token", "%s: %m", path);
        else if (st.st_mode & (S_IRWXO | S_IWGRP))
                doctor_say(d, FINDING_FAIL, "token",
                           "%s has mode %04o: chmod 0640 it, and make a new token, as others may "
                           "have read this one",
                           path, st.st_mode & 07777);
        else if (!ray || st.st_gid != ray->gr_gid || (!ours && st.st_uid != 0))
                doctor_say(d, FINDING_FAIL, "token", "chown %s:ray %s",
                           ours ? "raycluster" : "root", path);
        else if (streq(d->conf->settings->auth_mode, "disabled"))
                doctor_say(d, FINDING_WARN, "token", "there is one, but auth.mode is \"disabled\"");
        else
                doctor_say(d, FINDING_OK, "token", "%s, %04o, group ray", path, st.st_mode & 07777);
}

void doctor_check_token(Doctor *d)
{
        _cleanup_free_ char *path = path_join(engine_run_dir(), ENGINE_TOKEN_NAME);

        if (path && access(path, F_OK) == 0)
                check_token_file(d, path, true);
        else if (access(ENGINE_TOKEN_FILE, F_OK) == 0)
                check_token_file(d, ENGINE_TOKEN_FILE, false);
        else if (streq(d->conf->settings->auth_mode, "disabled"))
                doctor_say(d, FINDING_WARN, "token",
                           "auth.mode is \"disabled\": whoever reaches the ports can run programs "
                           "here");
        else
                doctor_say(d, FINDING_WARN, "token",
                           "there is none: the head makes one when it starts, and raycluster join "
                           "gives it to a worker");
}

/* Ray's, and who is in group ray may read them; who is not is told by the next check. */
void doctor_check_tls(Doctor *d)
{
        _cleanup_engine_tls_ EngineTls t = {0};
        _cleanup_free_ char *why = NULL;

        if (engine_tls_found(d->conf->settings, &t) <= 0)
                return;
        int r = engine_tls_check(&t, now_real(), &why);
        if (r < 0)
                doctor_say(d, FINDING_FAIL, "tls", "%s: %s", t.dir, strerror(-r));
        else if (r == 0)
                doctor_say(d, FINDING_FAIL, "tls", "%s", why);
        else
                doctor_say(d, FINDING_OK, "tls", "%s: certificate and key are good", t.dir);
}

void doctor_check_groups(Doctor *d)
{
        const struct group *ray = getgrnam("ray");

        if (!ray || !getpwnam("ray") || !getpwnam("raycluster")) {
                doctor_say(d, FINDING_FAIL, "users",
                           "user ray or raycluster is missing: systemd-sysusers");
                return;
        }
        if (geteuid() == 0 || getegid() == ray->gr_gid || group_member(ray->gr_gid)) {
                doctor_say(d, FINDING_OK, "users", "you may run drivers of Ray here");
                return;
        }
        doctor_say(
                d, FINDING_WARN, "users",
                "you are not in group ray: raycluster ray job submit works, ray.init() in your own "
                "programs does not (adduser NAME ray)");
}
