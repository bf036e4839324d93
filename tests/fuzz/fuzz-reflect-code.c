/* What a person may type as a code: taken or named, and what is taken is written as it is read. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "wire/reflect-code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char text[REFLECT_CODE_MAX], error[CODE_ERROR_MAX];
        ReflectCode code, again;
        CodeError e;

        _cleanup_free_ char *s = malloc(size + 1);
        if (!s)
                return 0;
        memcpy(s, data, size);
        s[size] = 0;
        if (reflect_code_parse(s, &code, &e) < 0) {
                if (e.mistake <= CODE_FINE || e.mistake >= _CODE_MISTAKE_MAX || e.at > size ||
                    isempty(reflect_code_error(error, s, &e)))
                        abort();
                return 0;
        }
        if (code.port == 0 ||
            reflect_code_parse(reflect_code_format(text, &code), &again, &e) < 0 ||
            memcmp(code.secret, again.secret, sizeof(code.secret)) != 0 || code.port != again.port)
                abort();
        return 0;
}
