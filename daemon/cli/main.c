#include <locale.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
        setlocale(LC_CTYPE, ""); /* column widths of UTF-8; numbers stay as in C */
        return cli_run(argc, argv);
}
