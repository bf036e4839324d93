#include "sys/signals.h"

#include <errno.h>
#include <signal.h>

#include "base/alloc.h"

struct Signals {
        const SignalOps *ops;
        void *userdata;
        sd_event_source *sources[3];
};

static const int handled[] = {SIGTERM, SIGINT, SIGHUP};

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        Signals *s = userdata;

        if (si->ssi_signo == SIGHUP) {
                if (s->ops->on_signal_reload)
                        s->ops->on_signal_reload(s->userdata);
        } else
                s->ops->on_signal_stop((int)si->ssi_signo, s->userdata);
        return 0;
}

static int block(void)
{
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(handled); i++)
                sigaddset(&set, handled[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        return 0;
}

int signals_new(sd_event *event, const SignalOps *ops, void *userdata, Signals **ret)
{
        _cleanup_(signals_freep) Signals *s = new0(Signals, 1);
        int r;

        static_assert(ELEMENTSOF(s->sources) == ELEMENTSOF(handled), "one source a signal");
        if (!s)
                return -ENOMEM;
        *s = (Signals){.ops = ops, .userdata = userdata};
        r = block();
        for (size_t i = 0; i < ELEMENTSOF(handled) && r >= 0; i++)
                r = sd_event_add_signal(event, &s->sources[i], handled[i], on_signal, s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

Signals *signals_free(Signals *s)
{
        if (!s)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(s->sources); i++)
                sd_event_source_disable_unref(s->sources[i]);
        free(s);
        return NULL;
}
