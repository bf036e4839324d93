#include "supervisor/versions.h"

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/strv.h"
#include "base/time.h"
#include "sys/spawn.h"

/* The folders of packages in the order Python looks into them; the first ray is the one imported.
 */
#define SCRIPT                                                                                     \
        "import os, sys\n"                                                                         \
        "print('python', '%d.%d.%d' % sys.version_info[:3])\n"                                     \
        "for p in sys.path:\n"                                                                     \
        "    if p.endswith('-packages') and os.path.isdir(p):\n"                                   \
        "        for d in sorted(os.listdir(p)):\n"                                                \
        "            if d.startswith('ray-') and d.endswith('.dist-info'):\n"                      \
        "                print('ray', d[4:-10])\n"

/* What a broken environment may say before we stop listening. */
#define ANSWER_MAX ((size_t)64 << 10)

struct VersionsQuery {
        Child child;
        Buf answer;
        char *venv;
        versions_cb cb;
        void *userdata;
        sd_event_source *io, *deadline;
};

int versions_parse(const char *text, Versions *ret, char **ret_last)
{
        _cleanup_strv_free_ char **lines = NULL;
        Versions v = {};

        int r = strv_split(text, "\n", &lines);
        if (r < 0)
                return r;
        STRV_FOREACH (l, lines) {
                const char *rest;
                if ((rest = startswith(*l, "python ")) && !*v.python)
                        (void)snprintf(v.python, sizeof(v.python), "%s", rest);
                else if ((rest = startswith(*l, "ray ")) && !*v.ray)
                        (void)snprintf(v.ray, sizeof(v.ray), "%s", rest);
        }
        if (*v.python) {
                *ret = v;
                return 0;
        }
        const char *last = lines ? lines[strv_length(lines) - 1] : "it said nothing";
        *ret_last = str_escape(last, strlen(last), 200);
        return *ret_last ? -EBADMSG : -ENOMEM;
}

static void tell(VersionsQuery *q, const Versions *v, char *why)
{
        _cleanup_free_ char *owned = why;

        sd_event_source_disable_unref(TAKE_PTR(q->io));
        sd_event_source_disable_unref(TAKE_PTR(q->deadline));
        q->cb(q, v, v ? NULL : owned ? owned : "out of memory", q->userdata);
}

static void answer(VersionsQuery *q)
{
        _cleanup_free_ char *last = NULL;
        Versions v;

        if (buf_append(&q->answer, "", 1) < 0) {
                tell(q, NULL, NULL);
                return;
        }
        int r = versions_parse((const char *)buf_data(&q->answer), &v, &last);
        if (r == -EBADMSG)
                tell(q, NULL,
                     str_printf("%s/bin/python does not run: %s; reinstall the environment, or "
                                "choose another one in engine.venv",
                                q->venv, last));
        else if (r < 0)
                tell(q, NULL, NULL);
        else if (!*v.ray)
                tell(q, NULL,
                     str_printf("%s has Python %s, and no Ray for it: install raycluster-engine "
                                "for this release, or ray[default] into that environment",
                                q->venv, v.python));
        else
                tell(q, &v, NULL);
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        VersionsQuery *q = userdata;
        uint8_t *at;

        int r = buf_reserve(&q->answer, 4096, &at);
        if (r < 0) {
                /* more than an answer can be: judge by what came first */
                answer(q);
                return 0;
        }
        ssize_t n = read(fd, at, 4096);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0)
                buf_commit(&q->answer, (size_t)n);
        else
                answer(q);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        VersionsQuery *q = userdata;

        tell(q, NULL,
             str_printf("%s/bin/python did not answer for %u s: is its file system stuck?", q->venv,
                        (unsigned)(VERSIONS_TIMEOUT / USEC_PER_SEC)));
        return 0;
}

int versions_ask(sd_event *event, const char *venv, versions_cb cb, void *userdata,
                 VersionsQuery **ret)
{
        _cleanup_(versions_query_freep) VersionsQuery *q = new0(VersionsQuery, 1);
        _cleanup_free_ char *python = path_join(venv, "bin/python");
        char *const argv[] = {python, (char *)"-I", (char *)"-c", (char *)SCRIPT, NULL};
        char *const env[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LANG=C.UTF-8", NULL};

        if (!q || !python)
                return -ENOMEM;
        *q = (VersionsQuery){.child = CHILD_NONE,
                             .answer = {.limit = ANSWER_MAX},
                             .cb = cb,
                             .userdata = userdata};
        q->venv = strdup(venv);
        if (!q->venv)
                return -ENOMEM;
        int r = spawn(&(SpawnSpec){.path = python, .argv = argv, .env = env, .cwd = "/"},
                      &q->child);
        if (r >= 0)
                r = sd_event_add_io(event, &q->io, q->child.out, EPOLLIN, on_output, q);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &q->deadline, CLOCK_MONOTONIC,
                                               VERSIONS_TIMEOUT, 0, on_deadline, q);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(q);
        return 0;
}

VersionsQuery *versions_query_free(VersionsQuery *q)
{
        if (!q)
                return NULL;
        sd_event_source_disable_unref(q->io);
        sd_event_source_disable_unref(q->deadline);
        if (q->child.pidfd >= 0)
                (void)pidfd_send_signal(q->child.pidfd, SIGKILL, NULL, 0);
        child_done(&q->child);
        buf_done(&q->answer);
        free(q->venv);
        free(q);
        return NULL;
}
