/* TLS, in words. */
#include "probe/phrase.h"

char *sentence_tls(const Evidence *e, const Judgement *j, const char *head)
{
        switch (j->verdict) {
        case VERDICT_TLS_REQUIRED:
                return str_printf("head %s speaks only TLS on port %u", head, e->addr.port);
        default:
                return NULL;
        }
}

char *hint_tls(const Evidence *e, const Judgement *j, const char *name)
{
        switch (j->verdict) {
        case VERDICT_TLS_REQUIRED:
                return str_printf("raycluster's Ray speaks no TLS yet; on %s: unset RAY_USE_TLS",
                                  name);
        default:
                return NULL;
        }
}
