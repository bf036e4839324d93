#include "probe-cli/timeline.h"

#include <stdio.h>

static double ms(usec_t t)
{
        return (double)t / (double)USEC_PER_MSEC;
}

static void print_steps(const ProbeReport *r)
{
        int width = 0;

        for (size_t i = 0; i < r->n_steps; i++)
                width = MAX(width, (int)strlen(r->steps[i].name));
        for (size_t i = 0; i < r->n_steps; i++) {
                const ProbeStep *s = &r->steps[i];
                if (i == 0)
                        printf("\nSteps: when, how long, which, what came of it\n");
                char took[32] = "";
                if (s->took > 0)
                        (void)snprintf(took, sizeof(took), "%.1f ms", ms(s->took));
                printf("  %8.1f ms %11s  %-*s  %s\n", ms(s->at), took, width, s->name, s->result);
        }
}

static void print_facts(const ProbeReport *r)
{
        int width = 0;

        STRV_FOREACH (s, r->facts)
                width = MAX(width, (int)strcspn(*s, "="));
        STRV_FOREACH (s, r->facts) {
                size_t n = strcspn(*s, "=");
                if (s == r->facts)
                        printf("\nFacts:\n");
                printf("  %-*.*s  %s\n", width, (int)n, *s, *s + n + ((*s)[n] == '='));
        }
}

static void print_missing(const ProbeReport *r)
{
        STRV_FOREACH (s, r->missing) {
                if (s == r->missing)
                        printf("\nNot known, and what would tell:\n");
                printf("  %s\n", *s);
        }
}

static void print_alternatives(const ProbeReport *r)
{
        for (size_t i = 0; i < r->n_alternatives; i++)
                printf("%s%s", i == 0 ? "\nThe same facts allow: " : ", ",
                       verdict_to_string(r->alternatives[i]));
        if (r->n_alternatives > 0)
                putchar('\n');
}

void timeline_print(const ProbeReport *r)
{
        print_steps(r);
        print_facts(r);
        print_missing(r);
        print_alternatives(r);
}
