#include "cli/table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

/* Longer than this is not read by anyone. */
#define CELL_MAX 200

#define COLUMNS_MAX 16

struct Table {
        struct libscols_table *table;
        size_t n;
        bool used[COLUMNS_MAX]; /* the column has a text in some row */
};

Table *table_new(const char *const *titles)
{
        Table *t = new0(Table, 1);
        if (!t)
                return NULL;
        t->table = scols_new_table();
        if (!t->table)
                return table_free(t);
        if (!isatty(STDOUT_FILENO))
                scols_table_set_termforce(t->table, SCOLS_TERMFORCE_NEVER);
        for (; titles[t->n] && t->n < COLUMNS_MAX; t->n++)
                if (!scols_table_new_column(t->table, titles[t->n], 0, 0))
                        return table_free(t);
        return t;
}

Table *table_free(Table *t)
{
        if (!t)
                return NULL;
        if (t->table)
                scols_unref_table(t->table);
        free(t);
        return NULL;
}

int table_add(Table *t, const char *const *cells)
{
        struct libscols_line *line = scols_table_new_line(t->table, NULL);

        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < t->n; i++) {
                char *text = isempty(cells[i]) ? strdup("-") : strndup(cells[i], CELL_MAX);
                if (!text)
                        return -ENOMEM;
                t->used[i] = t->used[i] || !isempty(cells[i]);
                int r = scols_line_refer_data(line, i, text);
                if (r < 0) {
                        free(text);
                        return r;
                }
        }
        return 0;
}

int table_print(Table *t)
{
        for (size_t i = 0; i < t->n; i++)
                if (!t->used[i] && i > 0 && t->used[0])
                        scols_column_set_flags(scols_table_get_column(t->table, i),
                                               SCOLS_FL_HIDDEN);
        return scols_print_table(t->table);
}
