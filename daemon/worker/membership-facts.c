/* What the head is told of this machine. */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "role/address.h"
#include "sys/hardware.h"
#include "sys/machine-id.h"
#include "worker/membership-private.h"

/* A graphics driver that is loaded late, memory that is plugged in: nobody says so. */
#define LOOK_PAUSE USEC_PER_MIN

void membership_find_facts(Membership *m)
{
        Hardware h = hardware_read();
        MemberFacts *f = &m->facts;
        char boot[MACHINE_ID_STR_MAX] = "";
        _cleanup_free_ char *why = NULL;

        (void)machine_boot_id(boot);
        str_copy(f->name, sizeof(f->name), m->name);
        str_copy(f->boot_id, sizeof(f->boot_id), boot);
        f->cpus = h.cpus;
        f->gpus = h.gpus;
        f->memory = h.memory_bytes;
        int n = address_own(&m->address, f->addrs, ELEMENTSOF(f->addrs), &why);
        if (n >= 0)
                f->n_addrs = (size_t)n;
        else /* they stay what they were */
                log_debug("%s", strna(why));
}

static void tell_facts(Membership *m)
{
        int r = m->link ? member_link_set_facts(m->link, &m->facts) : 0;
        if (r < 0)
                log_debug_errno(r, "Telling the head of this machine: %m");
}

void membership_set_versions(Membership *m, const Versions *v)
{
        Versions *known = &m->facts.versions, before = *known;

        if (!isempty(v->ray))
                str_copy(known->ray, sizeof(known->ray), v->ray);
        if (!isempty(v->python))
                str_copy(known->python, sizeof(known->python), v->python);
        if (!streq(before.ray, known->ray) || !streq(before.python, known->python))
                tell_facts(m);
}

static bool same_facts(const MemberFacts *a, const MemberFacts *b)
{
        bool same = streq(a->name, b->name) && streq(a->boot_id, b->boot_id) &&
                    a->cpus == b->cpus && a->gpus == b->gpus && a->memory == b->memory &&
                    a->n_addrs == b->n_addrs;

        for (size_t i = 0; same && i < a->n_addrs; i++)
                same = addr_equal(&a->addrs[i], &b->addrs[i]);
        return same;
}

void membership_look_again(Membership *m)
{
        MemberFacts before = m->facts;

        membership_find_facts(m);
        if (!same_facts(&before, &m->facts))
                tell_facts(m);
}

void membership_set_address(Membership *m, const Addr *address)
{
        if (!addr_is_set(address) || addr_equal(address, &m->address))
                return;
        m->address = *address;
        membership_look_again(m);
}

static void on_look(void *userdata)
{
        Membership *m = userdata;

        membership_look_again(m);
        (void)deadline_move(m->look, LOOK_PAUSE);
}

int membership_begin_looking(Membership *m)
{
        membership_find_facts(m);
        return deadline_new(m->event, LOOK_PAUSE, LOOK_PAUSE / 6, on_look, m, &m->look);
}
