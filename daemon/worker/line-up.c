/*     quiet ── another list, the pause is over ──> looking at head 1, 2, … in turn ──> quiet
 */
#include "worker/line-up.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "disco/disco.h"
#include "member/peek.h"
#include "model/key-words.h"
#include "sys/deadline.h"

/* From one look at all of them to the next. */
#define LINE_UP_PAUSE (15 * USEC_PER_SEC)

typedef struct Head {
        char *name;
        Addr at; /* the control port */
        char words[KEY_WORDS_MAX];
} Head;

struct LineUp {
        sd_event *event; /* weak */
        line_up_cb cb;
        void *userdata;
        char *cluster;
        Head heads[LINE_UP_MAX];
        size_t n, at; /* at: the one that is looked at */
        Peek *peek;
        usec_t looked; /* monotonic; 0 = never */
        Deadline *due;
        char *text;
};

static void forget(LineUp *l)
{
        l->peek = peek_free(l->peek);
        l->due = deadline_free(l->due);
        for (size_t i = 0; i < l->n; i++)
                free(l->heads[i].name);
        memset(l->heads, 0, sizeof(l->heads));
        l->n = l->at = 0;
        free(TAKE_PTR(l->text));
}

static char *say(const LineUp *l)
{
        _cleanup_strv_free_ char **heads = NULL;
        char at[ADDR_MAX];
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++) {
                const Head *h = &l->heads[i];
                r = strv_extendf(&heads, "%s (%s, %s%s)", h->name, addr_format(at, &h->at),
                                 *h->words ? "authority " : "whose control port does not answer",
                                 h->words);
        }
        _cleanup_free_ char *list = r < 0 ? NULL : strv_join(heads, " and ");
        return list ? str_printf("%zu heads answer to cluster \"%s\": %s; " DISCO_AMBIGUOUS_REMEDY,
                                 l->n, l->cluster, list)
                    : NULL;
}

static void look(LineUp *l);

static void on_peek(Peek *p, const uint8_t *pin, void *userdata)
{
        LineUp *l = userdata;

        if (pin)
                (void)key_words(pin, l->heads[l->at].words);
        l->peek = peek_free(l->peek);
        l->at++;
        look(l);
}

/* At the next one; the text is there when all were looked at. */
static void look(LineUp *l)
{
        for (; l->at < l->n; l->at++) {
                int r = peek_new(l->event, &l->heads[l->at].at, on_peek, l, &l->peek);
                if (r >= 0)
                        return;
                log_debug_errno(r, "Looking whose head is there: %m");
        }
        l->looked = now_mono();
        free(l->text);
        l->text = say(l);
        l->cb(l->userdata);
}

static void on_due(void *userdata)
{
        LineUp *l = userdata;

        l->due = deadline_free(l->due);
        l->at = 0;
        look(l);
}

static bool is_in(const LineUp *l, const Candidate *c)
{
        for (size_t i = 0; i < l->n; i++)
                if (addr_equal(&l->heads[i].at, &c->addrs[0]) &&
                    l->heads[i].at.port == c->control_port)
                        return true;
        return false;
}

static bool is_same(const LineUp *l, const char *cluster, const Candidate *const *list, size_t n)
{
        size_t same = 0;

        if (!streq(l->cluster, cluster))
                return false;
        for (size_t i = 0; i < n; i++)
                if (list[i]->n_addrs > 0) {
                        if (!is_in(l, list[i]) && l->n < LINE_UP_MAX)
                                return false;
                        same += is_in(l, list[i]);
                }
        return same >= l->n;
}

static int take(LineUp *l, const Candidate *c)
{
        Head *h = &l->heads[l->n];

        h->name = strdup(c->name);
        if (!h->name)
                return -ENOMEM;
        h->at = c->addrs[0];
        h->at.port = c->control_port;
        l->n++;
        return 0;
}

void line_up_set(LineUp *l, const char *cluster, const Candidate *const *list, size_t n)
{
        usec_t passed = usec_sub(now_mono(), l->looked);

        if (is_same(l, cluster, list, n))
                return;
        forget(l);
        if (free_and_strdup(&l->cluster, cluster) < 0)
                return;
        for (size_t i = 0; i < n && l->n < LINE_UP_MAX; i++)
                if (list[i]->n_addrs > 0 && !is_in(l, list[i]) && take(l, list[i]) < 0)
                        return;
        if (l->n == 0)
                return;
        usec_t in = l->looked ? usec_sub(LINE_UP_PAUSE, passed) : 0;
        int r = deadline_new(l->event, in, USEC_PER_MSEC, on_due, l, &l->due);
        if (r < 0)
                log_debug_errno(r, "Looking whose head is there: %m");
}

const char *line_up_text(const LineUp *l)
{
        return l->text;
}

int line_up_new(sd_event *event, line_up_cb cb, void *userdata, LineUp **ret)
{
        _cleanup_(line_up_freep) LineUp *l = new0(LineUp, 1);

        if (!l)
                return -ENOMEM;
        *l = (LineUp){.event = event, .cb = cb, .userdata = userdata, .cluster = strdup("")};
        if (!l->cluster)
                return -ENOMEM;
        *ret = TAKE_PTR(l);
        return 0;
}

LineUp *line_up_free(LineUp *l)
{
        if (!l)
                return NULL;
        forget(l);
        free(l->cluster);
        free(l);
        return NULL;
}
