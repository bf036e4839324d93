/* TXT records from anyone on the link: what is decoded can be encoded, and means the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "wire/txt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_strv_free_ char **txt = NULL, **again = NULL;
        _cleanup_buf_ Buf b = {0};
        HeadTxt head;

        if (txt_decode(data, size, &txt) < 0)
                return 0;
        if (strv_length(txt) > TXT_ENTRIES_MAX)
                abort();
        head_txt_parse(txt, &head);
        if (txt_encode(txt, &b) < 0)
                return 0;
        if (txt_decode(buf_data(&b), buf_size(&b), &again) < 0 || !strv_equal(txt, again))
                abort();
        return 0;
}
