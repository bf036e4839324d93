/* Which addresses stand in a member's certificate; the head connects back to no others.
 *
 * The one that it comes from is its own: whoever had it before has it no longer. Of those that it
 * says it has, it gets what is no other member's, not the head's, and usable at all: a claim takes
 * nothing from anybody. Errors: member/store.h. */
#pragma once

#include "member/store.h"
#include "sys/pki-names.h"

/* Fills in ret->addrs and ->n_addrs for ret->node. head: the names of the head's certificate. */
int address_book_choose(Db *db, const PkiNames *head, const Addr *from, const Addr *claimed,
                        size_t n_claimed, PkiNames *ret);
/* They are its own from now on, and no others. */
int address_book_put(Db *db, const PkiNames *names);
