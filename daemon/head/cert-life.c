#include "head/cert-life.h"

#include <stdlib.h>

usec_t cert_life_of_tests(void)
{
        const char *text = getenv("RAYCLUSTER_CERT_LIFE");
        usec_t life = 0;

        return text && parse_duration(text, &life) >= 0 ? life : 0;
}

usec_t cert_look_every(void)
{
        usec_t life = cert_life_of_tests();

        return life > 0 ? life / 10 : 60 * USEC_PER_MIN;
}
