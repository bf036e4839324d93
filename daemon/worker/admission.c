#include "worker/admission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "role/address.h"
#include "sys/deadline.h"

/* A head that was just started is announced when Ray serves there. */
#define SEARCH_MAX (30 * USEC_PER_SEC)
/* Until heads that did not answer are asked again, and of a wait that the head gave no time for. */
#define AGAIN (15 * USEC_PER_SEC)

struct Admission {
        sd_event *event; /* weak */
        AdmissionOps ops;
        void *userdata;
        char *path, *node_id, *name;
        JoinToken token; /* n_pins 0: none */
        bool patient, named;
        bool waits; /* an admin of the head was asked */
        Addr heads[ADMISSION_HEADS_MAX];
        size_t n_heads, next; /* next: to be asked */
        Addr asked;
        /* Of this round: why none of the heads has let it in, whether one has said so itself, and
         * how long the most patient of these is to be left alone. */
        char trouble[sizeof(((JoinResult *)NULL)->text)];
        bool refused;
        usec_t retry;
        Deadline *deadline; /* of the search, or until it asks again */
        Join *join;         /* NULL: searching, or pending */
};

static void ask(Admission *a);

static void add_heads(Admission *a, const Addr *heads, size_t n)
{
        for (size_t i = 0; i < n && a->n_heads < ELEMENTSOF(a->heads); i++)
                if (!addr_port_in(a->heads, a->n_heads, &heads[i]))
                        a->heads[a->n_heads++] = heads[i];
}

/* The head that is waited for; the others may be other addresses of it. */
static void put_first(Admission *a, const Addr *head)
{
        Addr others[ADMISSION_HEADS_MAX];
        size_t n = a->n_heads;

        memcpy(others, a->heads, sizeof(others));
        a->heads[0] = *head;
        a->n_heads = 1;
        add_heads(a, others, n);
}

static void ask_later(Admission *a, usec_t in)
{
        a->join = join_free(a->join);
        a->next = 0;
        a->refused = false;
        a->retry = 0;
        (void)deadline_move(a->deadline, in);
}

/* For now; text may be the join's, which ends here. */
static void fail(Admission *a, const char *text, usec_t retry)
{
        char copy[sizeof(a->trouble)];

        str_copy(copy, sizeof(copy), text);
        if (!a->patient) {
                a->ops.on_failed(a, copy, a->userdata);
                return;
        }
        ask_later(a, retry > 0 ? retry : AGAIN);
        a->ops.on_trouble(a, copy, a->userdata);
}

/* It has to be told that there is nothing at any of the addresses, or nobody of the token's. Who
 * waits for a head hears of that one: the others need not be its. What a head has said first goes
 * before all else. */
static bool is_to_be_told(const Admission *a, const JoinResult *r)
{
        return !a->refused && (r->end == JOIN_REFUSED || !a->named || !a->patient ||
                               addr_port_equal(&a->asked, &a->heads[0]));
}

/* Of several heads each may be another cluster's, or the one that was the head before a restore, or
 * see this machine come from another subnet. */
static void ask_next(Admission *a, const JoinResult *r)
{
        if (is_to_be_told(a, r))
                str_copy(a->trouble, sizeof(a->trouble), r->text);
        a->refused = a->refused || r->end == JOIN_REFUSED;
        a->retry = MAX(a->retry, r->retry);
        if (a->next < a->n_heads) {
                a->join = join_free(a->join);
                ask(a);
        } else
                fail(a, a->trouble, a->retry);
}

static bool is_of_token(const JoinResult *r)
{
        return r->end == JOIN_REFUSED &&
               (r->refusal == MEMBER_REFUSAL_TOKEN || r->refusal == MEMBER_REFUSAL_TOKEN_EXPIRED ||
                r->refusal == MEMBER_REFUSAL_TOKEN_USED ||
                r->refusal == MEMBER_REFUSAL_TOKEN_SCOPE);
}

/* While an admin was waited for, the token has ended: his word is for the key, and who said it
 * first is kept (member/first-sight.h). */
static bool outlives_token(Admission *a, const JoinResult *r)
{
        if (!is_of_token(r) || !a->waits || a->token.n_pins == 0)
                return false;
        join_token_forget(&a->token);
        return true;
}

/* The head has decided, and will again: what else it refuses, its disk or its clock may change. */
static bool is_last_word(const JoinResult *r)
{
        return r->end == JOIN_REFUSED &&
               (r->refusal == MEMBER_REFUSAL_DENIED || r->refusal == MEMBER_REFUSAL_REVOKED ||
                r->refusal == MEMBER_REFUSAL_BAD || r->refusal == MEMBER_REFUSAL_NAME_TAKEN);
}

static void on_join(Join *j, const JoinResult *r, void *userdata)
{
        Admission *a = userdata;
        Addr head = a->asked;

        if (outlives_token(a, r)) {
                ask_later(a, 0);
                return;
        }
        switch (r->end) {
        case JOIN_DONE:
                a->ops.on_done(a, &head, a->userdata);
                break;
        case JOIN_PENDING: {
                JoinResult copy = *r;
                put_first(a, &head);
                a->named = a->patient = a->waits = true;
                ask_later(a, r->retry > 0 ? r->retry : AGAIN);
                a->ops.on_pending(a, &head, &copy, a->userdata);
                break;
        }
        case JOIN_UNREACHABLE:
        case JOIN_WRONG_HEAD:
                ask_next(a, r);
                break;
        default:
                if (r->end == JOIN_REFUSED && !is_last_word(r)) {
                        ask_next(a, r);
                        break;
                }
                a->patient = a->patient && r->end != JOIN_REFUSED;
                fail(a, r->text, r->retry);
                break;
        }
}

static void ask(Admission *a)
{
        Addr addrs[MEMBER_ADDRS_MAX];
        _cleanup_free_ char *why = NULL;

        (void)deadline_move(a->deadline, USEC_INFINITY);
        /* the one towards the head need not be first: the head sees it */
        int n = address_own(NULL, addrs, ELEMENTSOF(addrs), &why);
        if (n < 0) {
                fail(a, strna(why), 0);
                return;
        }
        a->asked = a->heads[a->next++];
        JoinPolicy p = {.head = a->asked,
                        .token = a->token.n_pins > 0 ? &a->token : NULL,
                        .path = a->path,
                        .node = a->node_id,
                        .name = a->name,
                        .addrs = addrs,
                        .n_addrs = (size_t)n};
        int r = join_new(a->event, &p, on_join, a, &a->join);
        if (r < 0)
                fail(a, strerror(-r), 0);
}

static void on_deadline(void *userdata)
{
        Admission *a = userdata;

        if (a->n_heads > 0)
                ask(a);
        else
                a->ops.on_failed(a,
                                 "no head was found (raycluster status says where it was looked "
                                 "for): give its name, raycluster join --head=HOST, or set "
                                 "cluster.head",
                                 a->userdata);
}

void admission_found(Admission *a, const Addr *heads, size_t n)
{
        bool news = !a->named;

        if (n == 0 || (a->named && !a->patient))
                return;
        for (size_t i = 0; i < n; i++)
                news = news || !addr_port_in(a->heads, a->n_heads, &heads[i]);
        a->n_heads = a->named ? 1 : 0;
        add_heads(a, heads, n);
        a->next = 0;
        if (news && !a->join)
                (void)deadline_move(a->deadline, 0);
}

static int parse(Admission *a, const char *token, char **reterr)
{
        return token ? join_token_parse(token, &a->token, reterr) : 0;
}

int admission_new(sd_event *event, const AdmissionPolicy *p, const AdmissionOps *ops,
                  void *userdata, Admission **ret, char **reterr)
{
        _cleanup_(admission_freep) Admission *a = new0(Admission, 1);

        *reterr = NULL;
        if (!a)
                return -ENOMEM;
        *a = (Admission){.event = event,
                         .ops = *ops,
                         .userdata = userdata,
                         .path = strdup(p->path),
                         .node_id = strdup(p->node_id),
                         .name = strdup(p->name),
                         .patient = p->patient,
                         .named = p->n_heads > 0};
        if (!a->path || !a->node_id || !a->name)
                return -ENOMEM;
        int r = parse(a, p->token, reterr);
        if (r < 0)
                return r;
        add_heads(a, p->heads, p->n_heads);
        usec_t begin = a->named ? 0 : a->patient ? USEC_INFINITY : SEARCH_MAX;
        r = deadline_new(event, begin, USEC_PER_SEC / 4, on_deadline, a, &a->deadline);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

Admission *admission_free(Admission *a)
{
        if (!a)
                return NULL;
        deadline_free(a->deadline);
        join_free(a->join);
        join_token_forget(&a->token);
        free(a->path);
        free(a->node_id);
        free(a->name);
        free(a);
        return NULL;
}
