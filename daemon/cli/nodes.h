/* Nodes for people and for programs: the table, and the same as JSON. */
#pragma once

#include "model/node.h"
#include "wire/json.h"

/* Slurm's short word (sinfo %t): "idle", "mix", "alloc", "drain", "drng", "down"; "up" = alive, its
 * load not known. */
const char *node_word(const Node *n);

/* Left out unless `all`: dead nodes whose machine has a living one. *ret_hidden is their number. */
int nodes_print(const NodeSet *s, bool all, bool colour, size_t *ret_hidden);

/* An array of objects; NULL when out of memory. */
Json *nodes_json(const NodeSet *s);
