/* A table of texts on standard output: titles, then rows; "-" where a cell is empty; a column
 * without any text is left out. What strangers wrote is cleaned. */
#pragma once

#include <stddef.h>

typedef struct Table Table;

/* titles: NULL-ended literals. NULL when out of memory. */
Table *table_new(const char *const *titles);
Table *table_free(Table *t);
/* As many cells as titles; copied. Negative errno. */
int table_add(Table *t, const char *const *cells);
/* Negative errno. */
int table_print(Table *t);
