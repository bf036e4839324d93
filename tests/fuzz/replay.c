/* Runs a fuzz target over files given by name; stands in for libFuzzer's main when a corpus is
 * replayed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                FILE *f = fopen(argv[i], "re");
                if (!f) {
                        perror(argv[i]);
                        return 1;
                }
                size_t cap = 1 << 22;
                uint8_t *data = malloc(cap);
                if (!data) {
                        fclose(f);
                        return 1;
                }
                size_t size = fread(data, 1, cap, f);
                fclose(f);
                /* an exact-size copy, so that ASan sees a read past the end */
                uint8_t *exact = malloc(size ? size : 1);
                if (!exact) {
                        free(data);
                        return 1;
                }
                for (size_t k = 0; k < size; k++)
                        exact[k] = data[k];
                free(data);
                LLVMFuzzerTestOneInput(exact, size);
                free(exact);
        }
        return 0;
}
