/* Which addresses stand in a member's certificate; the head connects back to no others, and to
 * those only as long as no other member has come from there.
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
/* 1: it is another member's, which is not revoked; 0. */
int address_book_is_taken(Db *db, const char *node, const Addr *a);
/* They are its own from now on, and no others. */
int address_book_put(Db *db, const PkiNames *names);
