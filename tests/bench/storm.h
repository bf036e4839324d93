/* What the programs of tests/bench/join-storm share: they are told what to do line by line on
 * stdin, answer each line with one on stdout, and end with stdin. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/str.h"
#include "base/time.h"

typedef void (*storm_line_cb)(char *line, void *userdata);

typedef struct StormInput {
        char text[512]; /* a line is far shorter, and comes whole or nearly so */
        size_t n;
        storm_line_cb cb;
        void *userdata;
} StormInput;

#define STORM_DIE(...)                                                                             \
        do {                                                                                       \
                (void)fprintf(stderr, __VA_ARGS__);                                                \
                (void)fputc('\n', stderr);                                                         \
                exit(EXIT_FAILURE);                                                                \
        } while (0)

static inline int storm_on_input(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        StormInput *in = userdata;
        char *end;

        ssize_t n = read(fd, in->text + in->n, sizeof(in->text) - 1 - in->n);
        if (n <= 0)
                return sd_event_exit(sd_event_source_get_event(s), 0);
        in->n += (size_t)n;
        in->text[in->n] = '\0';
        while ((end = strchr(in->text, '\n'))) {
                *end = '\0';
                in->cb(in->text, in->userdata);
                in->n -= (size_t)(end + 1 - in->text);
                memmove(in->text, end + 1, in->n + 1);
        }
        return 0;
}

static inline void storm_input(sd_event *event, StormInput *in)
{
        if (sd_event_add_io(event, NULL, STDIN_FILENO, 1 /* EPOLLIN */, storm_on_input, in) < 0)
                STORM_DIE("no stdin to be told by");
}

/* Descriptors: as many as the machine lets us have. */
static inline void storm_limits(void)
{
        struct rlimit l;

        if (getrlimit(RLIMIT_NOFILE, &l) < 0)
                STORM_DIE("getrlimit: %m");
        l.rlim_cur = l.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &l) < 0)
                STORM_DIE("setrlimit: %m");
}
