#include "member/waiting.h"

#include <string.h>

#include "base/hex.h"
#include "base/str.h"
#include "model/key-words.h"

static_assert(STORE_PIN_SIZE == KEY_WORDS_FP_SIZE, "pins");

static WaitingMachine *find(WaitingList *l, const uint8_t pin[static STORE_PIN_SIZE])
{
        for (size_t i = 0; i < l->n; i++)
                if (memcmp(l->machines[i].pin, pin, STORE_PIN_SIZE) == 0)
                        return &l->machines[i];
        return NULL;
}

const char *waiting_group(WaitingList *l, const uint8_t pin[static STORE_PIN_SIZE],
                          const char *node, const char *name)
{
        const WaitingMachine *m = find(l, pin);

        return m && streq(m->node, node) && streq(m->name, name) ? m->group : "";
}

void waiting_remove(WaitingList *l, const uint8_t pin[static STORE_PIN_SIZE])
{
        WaitingMachine *m = find(l, pin);

        if (m)
                *m = l->machines[--l->n];
}

void waiting_expire(WaitingList *l, usec_t now)
{
        for (size_t i = 0; i < l->n;)
                if (usec_add(l->machines[i].last, WAITING_FORGOTTEN) <= now)
                        l->machines[i] = l->machines[--l->n];
                else
                        i++;
}

int waiting_add(WaitingList *l, const WaitingMachine *m, usec_t now)
{
        WaitingMachine *known = find(l, m->pin);
        size_t of_source = 0;

        if (known) {
                bool same = streq(known->node, m->node) && streq(known->name, m->name) &&
                            streq(known->takes_node, m->takes_node);
                usec_t first = known->first;
                char group[STORE_NAME_MAX];
                str_copy(group, sizeof(group), same && isempty(m->group) ? known->group : m->group);
                bool approved = known->approved && same;
                bool unseen = known->unseen || !same;
                *known = *m;
                known->first = first;
                known->last = now;
                known->approved = approved;
                known->unseen = unseen;
                str_copy(known->group, sizeof(known->group), group);
                return !same;
        }
        waiting_expire(l, now);
        for (size_t i = 0; i < l->n; i++)
                of_source += addr_same_source(&l->machines[i].from, &m->from);
        if (of_source >= (m->from.family == AF_INET6 ? WAITING_PER_NETWORK : WAITING_PER_SOURCE))
                return -EDQUOT;
        if (l->n == WAITING_MAX)
                return -EXFULL;
        known = &l->machines[l->n++];
        *known = *m;
        known->first = known->last = now;
        known->approved = false;
        /* it may be one that was forgotten meanwhile, and asked for no place before */
        known->unseen = !isempty(m->takes_node);
        return 1;
}

static bool is_called(const WaitingMachine *m, const char *who)
{
        char words[KEY_WORDS_MAX];

        return streq(m->name, who) || streq(m->node, who) || streq(key_words(m->pin, words), who);
}

int waiting_find(WaitingList *l, const char *who, WaitingMachine **ret)
{
        uint8_t pin[STORE_PIN_SIZE];
        bool is_pin = hex_decode(who, pin, sizeof(pin)) >= 0;
        unsigned found = 0;

        for (size_t i = 0; i < l->n; i++) {
                WaitingMachine *m = &l->machines[i];
                if (is_pin ? memcmp(m->pin, pin, sizeof(pin)) != 0 : !is_called(m, who))
                        continue;
                *ret = m;
                found++;
        }
        return found > 1 ? -ENOTUNIQ : (int)found;
}
